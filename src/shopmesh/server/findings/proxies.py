"""Proxies that are not as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopmesh.appmesh.findings import Finding, Mistake
from shopmesh.server.proxies import ProxyStatus

UNKNOWN = Mistake(
    "SM201",
    "error",
    "A proxy is connected under a name that the mesh does not have",
    "it gets no configuration and serves nothing",
    "create the virtual node or gateway, or start the proxy under the name of one that exists",
)
REFUSED = Mistake(
    "SM202",
    "error",
    "A proxy refused its configuration",
    "it goes on with the last configuration that it accepted, not with what the mesh says now",
    "change the resource that the message names; the next change is sent at once",
)
NO_CERTIFICATE = Mistake(
    "SM208",
    "error",
    "A proxy could not load the files of a certificate",
    "connections that need it fail, or go on with the certificate before",
    "move files that fit to where it looks for them, in the proxy's file system; it tries again every few seconds",
)
OUT_OF_STEP = Mistake(
    "SM203",
    "warning",
    "A proxy has not yet confirmed what it was sent",
    "until it does it serves the configuration before",
    "wait a moment; when it stays, look at the proxy's log",
)


def look(statuses: Iterable[ProxyStatus]) -> Iterator[Finding]:
    """Once each: what a proxy refused explains why it is not in step."""
    for status in statuses:
        where = f"proxy {status.instance} of {status.kind} {status.mesh}/{status.name}"
        if status.connected and not status.known:
            yield UNKNOWN.found(
                status.mesh,
                where,
                f"asks for the {status.kind} {status.name}, which does not exist in the mesh {status.mesh}",
            )
        if status.refused is not None and status.refused.type == "secrets":
            yield NO_CERTIFICATE.found(status.mesh, where, f"could not load {status.refused.message}")
        elif status.refused is not None:
            yield REFUSED.found(status.mesh, where, f"refused its {status.refused.type}: {status.refused.message}")
        elif status.connected and status.known and not status.in_step:
            yield OUT_OF_STEP.found(status.mesh, where, "has not yet confirmed the configuration that it was sent")
