"""A route's weighted targets, as clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shopmesh.appmesh.kinds import ROUTE_KINDS, weighted_targets
from shopmesh.appmesh.store import Document, Key, Resource, View
from shopmesh.xds import patience
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.targets import Target, listener, target

PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "httpRoute": ("http", "http2", "grpc"),
    "http2Route": ("http2", "grpc", "http"),
    "grpcRoute": ("grpc", "http2", "http"),
    "tcpRoute": ("tcp",),
}
"""Which listeners of a target will do for a route; where no port says which, the first is the best."""


@dataclass(frozen=True)
class Weighted:
    """What a route leads to, in its order; a target of weight 0 as well."""

    targets: tuple[tuple[Target, int], ...]
    limitations: tuple[Limitation, ...] = ()

    @property
    def leads_somewhere(self) -> bool:
        return any(weight for _, weight in self.targets)


def leads_to(view: View, route: Resource, port: int | None = None) -> Iterator[tuple[Document, Target | None]]:
    """Each weighted target of a stored route and the listener that it means; None where its node has no such one.

    By the port that the target names, else by `port`, which is that of the route's match or its router where not given.
    """
    kind = next(kind for kind in ROUTE_KINDS if kind in route.spec)
    protocols = PROTOCOLS[kind]
    port = port or wished_port(view, route)
    for document in weighted_targets(route.spec):
        yield document, target(view, route.key.mesh, document["virtualNode"], document.get("port"), port, protocols)


def weighted(view: View, where: str, route: Resource, nowhere: str, port: int | None = None) -> Weighted:
    """The same as clusters with their weights; `nowhere` says what becomes of callers when there is none."""
    found: dict[Target, int] = {}
    limitations = []
    for document, one in leads_to(view, route, port):
        if one is None:
            limitations.append(_no_listener(where, route, document))
        else:
            found[one] = found.get(one, 0) + document["weight"]
    if not any(found.values()):
        limitations.append(Limitation(where, "no target has a weight above 0", nowhere, "give one a weight"))
    listeners = {one: listener(view, one.mesh, one.node, one.port) for one, weight in found.items() if weight}
    kind = next(kind for kind in ROUTE_KINDS if kind in route.spec)
    limitations.extend(patience.limitations(where, route.spec[kind].get("timeout") or {}, listeners))
    return Weighted(tuple(found.items()), tuple(limitations))


def wished_port(view: View, route: Resource) -> int | None:
    """The port of a stored route's match, else the first that its router has for its protocol."""
    kind = next(kind for kind in ROUTE_KINDS if kind in route.spec)
    if asked := (route.spec[kind].get("match") or {}).get("port"):
        return int(asked)
    router = view.get(Key("virtualRouter", route.key.parent))
    mappings = [listener["portMapping"] for listener in (router.spec.get("listeners") or ())] if router else []
    ports: list[int] = [mapping["port"] for mapping in mappings if mapping["protocol"] in PROTOCOLS[kind]]
    return ports[0] if ports else None


def _no_listener(where: str, route: Resource, document: Document) -> Limitation:
    node, port = document["virtualNode"], document.get("port")
    kind = "TCP" if "tcpRoute" in route.spec else "HTTP"
    return Limitation(
        where,
        f"its target {node} has no {kind} listener" + ("" if port is None else f" on port {port}"),
        f"the weight {document['weight']} of this target goes to the other targets",
        f"give virtual node {node} such a listener, or take it out of the route",
    )
