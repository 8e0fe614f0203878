"""Writes a canary's current stage to its route: weights, the match route and the mirror, in the canary's transaction.

The mesh is changed only by App Mesh's own operations, so their validation holds for a canary as well.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from shopmesh.appmesh import arn
from shopmesh.appmesh.api import model, operations, rest_json
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest
from shopmesh.appmesh.kinds import route_kind, weighted_targets
from shopmesh.appmesh.resolved import LOWEST_PRIORITY
from shopmesh.appmesh.store import Key, Resource, Transaction
from shopmesh.appmesh.weights import set_weights, shift
from shopmesh.canary.canary_state import Canary
from shopmesh.canary.plan import Match

MIRROR_TAG = "shopmesh.dev/mirror"


def apply_stage(canary: Canary, route: Resource, transaction: Transaction, context: Context) -> Canary:
    """Brings the mesh to the canary's phase and stage; returns the canary with the route's new version."""
    if canary.phase != "stopped":
        _apply_weights(canary, route, transaction, context)
    _apply_mirror(canary, route, transaction, context)
    _apply_match_route(canary, route, transaction, context)
    after = transaction.get(route.key) or route
    return canary if canary.phase == "stopped" else replace(canary, route=(after.uid, after.version))


def match_route(route: Key) -> Key:
    """The key of the temporary route that sends matching requests (`--match`) to the new version."""
    return Key("route", (*route.parent, f"{route.name}-canary"))


def remove_match_route(route: Key, transaction: Transaction, context: Context) -> None:
    """Deletes the match route, if it exists."""
    if transaction.get(match_route(route)) is not None:
        _call_on_route("DeleteRoute", match_route(route), {}, transaction, context)


def _apply_weights(canary: Canary, route: Resource, transaction: Transaction, context: Context) -> None:
    spec: Any = copy.deepcopy(route.spec)
    before = [*canary.stable]
    if canary.weight or canary.running:
        shares = shift([(one["virtualNode"], one["weight"]) for one in before], {canary.plan.to: canary.weight})
        targets = set_weights(before, shares)
    else:
        targets = [*before]
    weighted_targets(spec)[:] = targets
    if spec != route.spec:
        _call_on_route("UpdateRoute", route.key, {"spec": spec}, transaction, context)


def _apply_mirror(canary: Canary, route: Resource, transaction: Transaction, context: Context) -> None:
    there = dict(route.tags).get(MIRROR_TAG)
    named = {"resourceArn": arn.write(route.key, context)}
    if canary.in_stage("mirror"):
        share = f"{100 * (canary.plan.mirror or 0):.4f}".rstrip("0").rstrip(".")
        value = f"{canary.plan.to} {share}%"
        _call("TagResource", {**named, "tags": [{"key": MIRROR_TAG, "value": value}]}, transaction, context)
    elif canary.plan.mirror and there is not None and there.startswith(f"{canary.plan.to} "):
        _call("UntagResource", {**named, "tagKeys": [MIRROR_TAG]}, transaction, context)


def _apply_match_route(canary: Canary, route: Resource, transaction: Transaction, context: Context) -> None:
    if not canary.plan.match:
        return
    if not canary.in_stage("match"):
        remove_match_route(route.key, transaction, context)
    elif transaction.get(match_route(route.key)) is None:
        spec = _match_route_spec(route, canary.plan.match, canary.plan.to)
        _call_on_route("CreateRoute", match_route(route.key), {"spec": spec}, transaction, context)


def _match_route_spec(route: Resource, match: Match, node: str) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(dict(route.spec))
    priority = spec.get("priority", LOWEST_PRIORITY + 1) - 1
    if priority < 0:
        raise BadRequest(
            f"match: route {route.key.name} has priority 0, and the match route must come before it;"
            " set its priority to 1 or more"
        )
    kind = route_kind(spec)
    headers = "metadata" if kind == "grpcRoute" else "headers"
    wanted: dict[str, Any] = {"name": match.header}
    if match.value is not None:
        wanted["match"] = {"exact": match.value}
    at = spec[kind].setdefault("match", {})
    at[headers] = [*at.get(headers, ()), wanted]
    spec[kind]["action"]["weightedTargets"] = set_weights(weighted_targets(spec), [(node, 100)])
    return {**spec, "priority": priority}


def _call_on_route(name: str, route: Key, more: dict[str, Any], transaction: Transaction, context: Context) -> None:
    mesh, router, route_name = route.path
    path = {"meshName": mesh, "virtualRouterName": router, "routeName": route_name}
    _call(name, {**path, **more}, transaction, context)


def _call(name: str, parameters: dict[str, Any], transaction: Transaction, context: Context) -> None:
    call = rest_json.binding_of(model.GA, name)
    operations.handle(call.operation, rest_json.validate(call, parameters), transaction, context)
