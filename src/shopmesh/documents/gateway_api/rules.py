"""App Mesh's routes as rules, in the order in which they were tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh.resolved import Route
from shopmesh.documents.gateway_api import actions
from shopmesh.documents.gateway_api.matches import grpc_match, http_match
from shopmesh.documents.gateway_api.output import Warnings
from shopmesh.documents.gateway_api.services import Mesh, Service

_RULE_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True)
class RouteRule:
    """One rule, and the route that it comes from."""

    route: Route
    body: dict[str, Any]

    @property
    def weight(self) -> tuple[int, ...]:
        """How specific a rule is to the Gateway API: the heavier is tried first.

        https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
        """
        match = self.body.get("matches", [{}])[0]
        if "path" not in match:
            method = match.get("method", {})
            return len(method.get("service", "")), len(method.get("method", "")), len(match.get("headers", ()))
        path = match["path"]
        exact, length = int(path["type"] == "Exact"), len(path["value"].rstrip("/"))
        conditions = (int("method" in match), len(match.get("headers", ())), len(match.get("queryParams", ())))
        return exact, length, *conditions


def rule(route: Route, mesh: Mesh, own: Service, warnings: Warnings) -> RouteRule | None:
    """A route of a router as a rule; None, and a warning, when it cannot be expressed."""
    body: dict[str, Any] = {}
    if route.kind == "tcpRoute":
        actions.warn_unsupported(route, warnings)
    else:
        http = route.kind != "grpcRoute"
        match = (http_match if http else grpc_match)(route.match, warnings)
        if match is None:
            return None
        body = {"matches": [match]} if match else {}
        if http:
            body["timeouts"] = actions.http_timeouts(route.timeouts, route.retry, warnings)
            body |= {"retry": retried} if (retried := actions.http_retry(route.retry, warnings)) else {}
        else:
            actions.warn_unsupported(route, warnings)
    return RouteRule(route, {**_name_field(route), **body, "backendRefs": actions.backends(route, mesh, own, warnings)})


def evaluation_order(rules: Sequence[RouteRule], warn: dict[str, Warnings]) -> list[RouteRule]:
    """Sorted as App Mesh tried them, with a warning where the Gateway API tries them in another order."""
    ordered = sorted(rules, key=lambda one: one.route.rank)
    for index, first in enumerate(ordered):
        other = next((later for later in ordered[index + 1 :] if first.weight < later.weight), None)
        if other is not None:
            by_priority = first.route.priority < other.route.priority
            why = f"priority {first.route.priority}" if by_priority else "App Mesh's order"
            warn[first.route.key.name].add(
                f"{why} put it before {other.route.key.name}; the Gateway API tries the more specific first, and that"
                " is the other"
            )
    return ordered


def _name_field(route: Route) -> dict[str, str]:
    name = route.key.name
    return {"name": name} if len(name) <= 253 and _RULE_NAME.fullmatch(name) else {}
