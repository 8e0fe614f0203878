"""Targets of a load: the server and the bytes of each request, built once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""HEAD is left out: its response has no body although its headers announce one."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Origin(NamedTuple):
    """A server; a tuple, because it is hashed for every request."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == (443 if self.tls else 80)
        return f"{'https' if self.tls else 'http'}://{host}" + ("" if default else f":{self.port}")


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """One request of HTTP/1.1, as bytes."""

    url: str
    origin: Origin
    request: bytes


def make_target(
    url: str, method: str = "GET", headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> LoadTarget:
    """Builds the request for an http or https URL; raises ValueError for an invalid one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// or https:// URL with a host")
    if method not in METHODS:
        raise ValueError(f"{method!r} is not one of {', '.join(METHODS)}")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or re.search(r"[\x00-\x20\x7f]", path):
        raise ValueError(f"{url!r} has characters that are not allowed in a request line: write them as %XX")
    origin = Origin(parts.hostname, parts.port or (443 if tls else 80), tls)
    given = {name.lower() for name, _ in headers}
    lines = [f"{method} {path} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"host: {str(origin).partition('//')[2]}")
    if "user-agent" not in given:
        lines.append("user-agent: shopmesh-load")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or re.search(r"[\r\n\x00]", value):
            raise ValueError(f"{name!r}: {value!r} is not a valid header")
        lines.append(f"{name}: {value}")
    if (body or method in ("POST", "PUT", "PATCH")) and "content-length" not in given:
        lines.append(f"content-length: {len(body)}")
    return LoadTarget(url, origin, "\r\n".join([*lines, "", ""]).encode() + body)


def target_chooser(targets: Sequence[LoadTarget], weights: Sequence[float], seed: int) -> Callable[[], LoadTarget]:
    """Returns a function that draws targets by weight, deterministic for a seed; raises ValueError for bad weights."""
    if len(targets) == 1:
        only = targets[0]
        return lambda: only
    weights = weights or [1.0] * len(targets)
    if len(weights) != len(targets) or min(weights) < 0 or not sum(weights):
        raise ValueError(f"{len(targets)} URLs need as many weights, none negative and one above 0, not {[*weights]}")
    choices = Random(seed).choices  # noqa: S311  # a load, not a secret
    return lambda: choices(targets, weights)[0]
