"""Routes of a virtual router: which listener each of their targets means, and on what terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shopmesh.appmesh.document_types import MatchDocument, RouteDocument, WeightedTargetDocument, route_body
from shopmesh.appmesh.kinds import route_kind, weighted_targets
from shopmesh.appmesh.resolved.computing_view import ComputingView
from shopmesh.appmesh.resolved.defaults import ROUTE_PROTOCOLS
from shopmesh.appmesh.resolved.listeners import Listener, Target, listeners
from shopmesh.appmesh.resolved.order import Rank, priority_of, rank
from shopmesh.appmesh.resolved.retry import Retry, retry
from shopmesh.appmesh.resolved.timeouts import Timeouts, timeouts
from shopmesh.appmesh.store import Key, Resource, View


class WeightedTarget(NamedTuple):
    """A weighted target of a route: a virtual node, with a port where one is written.

    `listeners` are all that the node has, None where it does not exist. `target` is the one that takes the requests;
    None where none of them can.
    """

    node: str
    weight: int
    port: int | None
    listeners: tuple[Listener, ...] | None
    target: Target | None

    @property
    def listener(self) -> Listener | None:
        """The listener of `target`."""
        found = self.listeners if self.target and self.listeners else ()
        return next((one for one in found if self.target and one.port == self.target.port), None)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a virtual router; `body` is what its `kind` holds.

    `port` is that of targets that name none: the port of the match, else the first that the router has for the
    route's kind. `only_port` is the only one on which requests come in: that of the match, else that of a router with
    a single listener; None for any port of the router.
    """

    key: Key
    kind: str
    body: RouteDocument
    priority: int
    port: int | None
    only_port: int | None
    targets: tuple[WeightedTarget, ...]

    @property
    def match(self) -> MatchDocument:
        """Empty where a TCP route has none."""
        return self.body.get("match") or {}

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those of the listeners that it can send to, the best first."""
        return ROUTE_PROTOCOLS[self.kind]

    @property
    def rank(self) -> Rank:
        return rank(self.key.name, self.priority, self.kind, self.match)

    @property
    def timeouts(self) -> Timeouts:
        return timeouts(self.body.get("timeout"))

    @property
    def retry(self) -> Retry:
        return retry(self.body.get("retryPolicy"))

    @property
    def weights(self) -> dict[Target, int]:
        """By the listener that is meant, in the order of the document; one that is named twice has the sum."""
        found: dict[Target, int] = {}
        for one in self.targets:
            if one.target is not None:
                found[one.target] = found.get(one.target, 0) + one.weight
        return found


def route(view: View, resource: Resource, port: int | None = None) -> Route:
    """Of a stored route; `port` is that on which requests come in, where it is known."""
    kind = route_kind(resource.spec)
    body, protocols = route_body(resource.spec, kind), ROUTE_PROTOCOLS[kind]
    at_router = listeners(view.get(Key("virtualRouter", resource.key.parent)))
    asked = (body.get("match") or {}).get("port")
    port = port or asked or next((one.port for one in at_router if one.protocol in protocols), None)
    only_port = asked or (at_router[0].port if len(at_router) == 1 else None)
    targets = tuple(
        _weighted(view, resource.key.mesh, document, port, protocols) for document in weighted_targets(resource.spec)
    )
    return Route(resource.key, kind, body, priority_of(resource.spec), port, only_port, targets)


def routes_of(view: ComputingView, router: Key) -> tuple[Route, ...]:
    """Computation: the routes of a virtual router."""
    found = (view.compute(route_of, one.key) for one in view.children("route", router.path))
    return tuple(one for one in found if one is not None)


def route_of(view: ComputingView, key: Key) -> Route | None:
    """Computation: one stored route; None where it does not exist."""
    resource = view.get(key)
    return None if resource is None else route(view, resource)


def choose_listener(
    found: Sequence[Listener], port: int | None, preferred: int | None, protocols: Sequence[str]
) -> Listener | None:
    """The listener of that `port`; without one, that of the `preferred` port, else the first of the best protocol.

    Only those of these `protocols` count, the best of which come first; None where there is no such listener.
    """
    usable = [one for one in found if one.protocol in protocols and port in (None, one.port)]
    return min(usable, key=lambda one: (one.port != preferred, protocols.index(one.protocol)), default=None)


def _weighted(
    view: View, mesh: str, document: WeightedTargetDocument, preferred: int | None, protocols: Sequence[str]
) -> WeightedTarget:
    name, port = document["virtualNode"], document.get("port")
    node = view.get(Key("virtualNode", (mesh, name)))
    found = listeners(node)
    chosen = choose_listener(found, port, preferred, protocols)
    target = None if chosen is None else Target(mesh, name, chosen.protocol, chosen.port)
    return WeightedTarget(name, document["weight"], port, found if node else None, target)
