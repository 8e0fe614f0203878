"""App Mesh's routes as rules, in the order in which they were tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh.manifests.declared import Declared
from shopmesh.appmesh.manifests.gateway_api import actions
from shopmesh.appmesh.manifests.gateway_api.matches import grpc_match, http_match
from shopmesh.appmesh.manifests.gateway_api.services import Mesh, Service
from shopmesh.appmesh.manifests.gateway_api.written import Warnings

LAST = 1000
"""App Mesh's lowest priority, which a route without one has."""

_RULE_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True)
class Rule:
    """One rule, and the place in which it was tried."""

    route: Declared
    body: dict[str, Any]
    priority: int

    @property
    def weight(self) -> tuple[int, ...]:
        """How specific a rule is to the Gateway API: the heavier goes first.

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


def rule(route: Declared, kind: str, mesh: Mesh, own: Service, port: int | None, warnings: Warnings) -> Rule | None:
    """A route of a router as a rule; None, and a warning, when it cannot be said."""
    body = route.spec[kind]
    said: dict[str, Any] = {}
    if kind == "tcpRoute":
        actions.unsaid(body, kind, warnings)
    else:
        http = kind != "grpcRoute"
        match = (http_match if http else grpc_match)(body["match"], warnings)
        if match is None:
            return None
        said = {"matches": [match]} if match else {}
        if http:
            said["timeouts"] = actions.http_timeouts(body, warnings)
            said |= {"retry": retried} if (retried := actions.retry(body, warnings)) else {}
        else:
            actions.unsaid(body, kind, warnings)
    refs = actions.backends(body, kind, mesh, own, warnings, port)
    made = {**_named(route), **said, "backendRefs": refs}
    return Rule(route, made, route.spec.get("priority", LAST))


def in_order(rules: Sequence[Rule], warn: dict[str, Warnings]) -> list[Rule]:
    """Sorted as App Mesh tried them; where the Gateway API tries them in another order, that is told."""
    ordered = sorted(rules, key=lambda one: (one.priority, [-part for part in one.weight], one.route.key.name))
    for index, first in enumerate(ordered):
        for later in ordered[index + 1 :]:
            if first.priority < later.priority and first.weight < later.weight:
                warn[first.route.key.name].add(
                    f"priority {first.priority} put it before {later.route.key.name}; the Gateway API tries the more"
                    " specific first, and that is the other"
                )
                break
    return ordered


def _named(route: Declared) -> dict[str, str]:
    name = route.key.name
    return {"name": name} if len(name) <= 253 and _RULE_NAME.fullmatch(name) else {}
