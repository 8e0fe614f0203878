"""Certificates that are about to expire, as the proxies themselves report it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shopmesh.appmesh.findings import Finding, Mistake
from shopmesh.server.figures import Caller
from shopmesh.server.proxies import ProxyStatus

SOON_DAYS = 14

EXPIRES = Mistake(
    "SM210",
    "warning",
    "A certificate of a proxy expires soon, or has expired",
    "from then on connections with it fail",
    "move new files over the old ones, which the proxy takes at once; GET /certs of its admin interface says which",
)

Days = Mapping[tuple[Caller, str], int]


def look(statuses: Iterable[ProxyStatus], days: Days) -> Iterator[Finding]:
    """Of connected proxies: what the others reported last may be long ago."""
    for status in statuses:
        left = days.get((Caller(status.mesh, status.kind, status.name), status.instance))
        if status.connected and left is not None and left < SOON_DAYS:
            when = f"in {left} days" if left > 1 else "within a day" if left else "within a day, or already has"
            yield EXPIRES.found(
                status.mesh,
                f"proxy {status.instance} of {status.kind} {status.mesh}/{status.name}",
                f"has a certificate, of its own or of an authority, that expires {when}",
            )
