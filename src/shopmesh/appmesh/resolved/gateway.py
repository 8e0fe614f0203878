"""Gateway routes: which requests they take, to which virtual service, and what they rewrite."""

from __future__ import annotations

from typing import NamedTuple

from shopmesh.appmesh.document_types import GatewayRouteDocument, MatchDocument, RewriteDocument, gateway_route_body
from shopmesh.appmesh.kinds import route_kind
from shopmesh.appmesh.resolved.computing_view import ComputingView
from shopmesh.appmesh.resolved.order import GatewayRank, gateway_rank, priority_of
from shopmesh.appmesh.store import Key, Resource


class GatewayRoute(NamedTuple):
    """`body` is what its `kind` holds, `port` that of the virtual service, where the route names one."""

    key: Key
    kind: str
    body: GatewayRouteDocument
    priority: int
    service: str
    port: int | None

    @property
    def match(self) -> MatchDocument:
        return self.body["match"]

    @property
    def rank(self) -> GatewayRank:
        return gateway_rank(self.key.name, self.priority, self.kind, self.match)

    def matches_listener(self, protocol: str, port: int) -> bool:
        """Whether it is for requests to a gateway's listener; a route without a port is for all of its protocol."""
        return self.kind == f"{protocol}Route" and self.match.get("port") in (None, port)

    @property
    def rewritten_host(self) -> str | None:
        """The host name that its requests go on with; None where they keep theirs."""
        written = self._rewrite.get("hostname")
        return None if written and written.get("defaultTargetHostname") == "DISABLED" else self.service

    @property
    def rewritten_path(self) -> str | None:
        """The path that takes the place of the whole path; None where it does not."""
        written = self._rewrite.get("path")
        return written["exact"] if written else None

    @property
    def rewritten_prefix(self) -> str | None:
        """What takes the place of the matched prefix, which is `/` unless written otherwise; None where it stays."""
        written = self._rewrite.get("prefix") or {}
        if "path" in self._rewrite or "prefix" not in self.match or written.get("defaultPrefix") == "DISABLED":
            return None
        value = str(written.get("value", "/"))
        return value if value != self.match["prefix"] else None

    @property
    def _rewrite(self) -> RewriteDocument:
        return self.body["action"].get("rewrite") or {}


def gateway_routes_of(view: ComputingView, gateway: Key) -> tuple[GatewayRoute, ...]:
    """Computation: the gateway routes of a virtual gateway."""
    return tuple(gateway_route(one) for one in view.children("gatewayRoute", gateway.path))


def gateway_route(resource: Resource) -> GatewayRoute:
    """Of a stored gateway route."""
    kind = route_kind(resource.spec)
    body = gateway_route_body(resource.spec, kind)
    target = body["action"]["target"]
    service = target["virtualService"]["virtualServiceName"]
    return GatewayRoute(resource.key, kind, body, priority_of(resource.spec), service, target.get("port"))
