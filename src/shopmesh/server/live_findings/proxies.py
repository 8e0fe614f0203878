"""Findings about proxies that have rejected, or not yet acknowledged, their configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.running import NO_CERTIFICATE, NOT_IN_SYNC, REFUSED_CONFIGURATION, UNKNOWN_PROXY
from shopmesh.server.grpc.proxies import ProxyStatus


def proxy_findings(statuses: Iterable[ProxyStatus]) -> Iterator[Finding]:
    """At most one for each proxy: what it rejected explains why it is not in sync."""
    for status in statuses:
        if status.connected and not status.known:
            what = f"asks for the {status.kind} {status.name}, which does not exist in the mesh {status.mesh}"
            yield UNKNOWN_PROXY.at(status.key, what)
        for nack in status.refusals:
            if nack.type == "secrets":
                yield NO_CERTIFICATE.at(status.key, f"could not load {nack.message}")
            else:
                yield REFUSED_CONFIGURATION.at(status.key, f"refused its {nack.type}: {nack.message}")
        if not status.refusals and status.connected and status.known and not status.in_sync:
            yield NOT_IN_SYNC.at(status.key, "has not yet confirmed the configuration that it was sent")
