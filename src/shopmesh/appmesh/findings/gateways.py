"""Virtual gateways: requests that come in and find no way on."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import NO_GATEWAY_ROUTE
from shopmesh.appmesh.resolved import ComputingView, gateway_routes_of, ports
from shopmesh.appmesh.store import Resource


def no_route(view: ComputingView, gateway: Resource) -> Iterator[Finding]:
    """A gateway route without a port is for all ports of its protocol."""
    routes = view.compute(gateway_routes_of, gateway.key)
    for port, protocol in ports(gateway).items():
        if not any(route.matches_listener(protocol, port) for route in routes):
            yield NO_GATEWAY_ROUTE.at(
                gateway.key, f"listens for {protocol} on port {port}, but has no gateway route for it"
            )
