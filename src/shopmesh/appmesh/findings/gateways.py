"""Virtual gateways: requests that come in and find no way on."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.findings import reading
from shopmesh.appmesh.findings.finding import Finding, Mistake
from shopmesh.appmesh.store import Resource, View

NO_ROUTE = Mistake(
    "SM122",
    "warning",
    "A virtual gateway listens on a port for which it has no gateway route",
    "requests to that port are answered 404",
    "create a gateway route of the listener's protocol, or take the listener out",
)


def no_route(view: View, gateway: Resource) -> Iterator[Finding]:
    """A gateway route without a port is for all ports of its protocol."""
    routes = view.children("gatewayRoute", gateway.key.path)
    taken = {(kind := reading.kind_of(one), one.spec[kind]["match"].get("port")) for one in routes}
    for port, protocol in reading.ports(gateway).items():
        if taken.isdisjoint(((f"{protocol}Route", None), (f"{protocol}Route", port))):
            yield NO_ROUTE.at(gateway.key, f"listens for {protocol} on port {port}, and has no gateway route for that")
