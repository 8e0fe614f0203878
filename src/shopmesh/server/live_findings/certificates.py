"""Certificates that expire soon, as the proxies report it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.running import CERTIFICATE_EXPIRES
from shopmesh.server.grpc.proxies import ProxyStatus
from shopmesh.server.traffic.figures import Caller

SOON_DAYS = 14


Days = Mapping[tuple[Caller, str], int]


def certificate_findings(statuses: Iterable[ProxyStatus], days: Days) -> Iterator[Finding]:
    """Only of connected proxies: the last report of the others may be old."""
    for status in statuses:
        left = days.get((Caller(status.mesh, status.kind, status.name), status.instance))
        if status.connected and left is not None and left < SOON_DAYS:
            when = f"in {left} days" if left > 1 else "within a day" if left else "within a day, or already has"
            what = f"has a certificate, of its own or of an authority, that expires {when}"
            yield CERTIFICATE_EXPIRES.at(status.key, what)
