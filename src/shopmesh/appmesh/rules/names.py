"""Names: of resources, as ARNs and Envoy's statistics carry them, and of virtual services, which are hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.store import Key, View

LONGEST_HOST = 253
# What a Host header can carry and Envoy takes as a domain literally: no wildcard, port, space or path.
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._~-]*[A-Za-z0-9_])?")


def problems(key: Key) -> Iterator[Problem]:
    field = f"{key.kind}Name"
    if key.kind == "virtualService":
        yield from host_problems(key.name, field)
    elif "/" in key.name:
        # https://github.com/aws/aws-app-mesh-roadmap/issues/101
        yield Problem(field, f"{quote(key.name)} has a slash; give the name, not the ARN")
    elif key.name in (".", ".."):
        yield Problem(field, f"HTTP clients resolve {quote(key.name)} as a folder; choose another name")


def host_problems(name: str, field: str) -> Iterator[Problem]:
    if not _HOST.fullmatch(name) or len(name) > LONGEST_HOST:
        yield Problem(
            field,
            f"{quote(name)} is not a host name; allowed are letters, digits, dots, hyphens and underscores, "
            f"at most {LONGEST_HOST}, no wildcard and no port",
        )


def same_domain(key: Key, view: View) -> Key | None:
    """Another virtual service of the mesh with the same name but for case."""
    folded = key.name.lower()
    for service in view.children("virtualService", key.parent):
        if service.key != key and service.key.name.lower() == folded:
            return service.key
    return None
