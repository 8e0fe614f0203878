"""The transitions of a canary; each changes the canary and its route in one transaction.

start ─► running ─┬─ advance ─► running … ─► promoted
           ▲      ├─ roll_back ─► rolled_back
    resume │      ├─ expire ─► expired ──┐
           └──────┼──────────────────────┘
                  └─ reconcile: another client changed the route ─► stopped
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, Conflict, NotFound
from shopmesh.appmesh.kinds import describe, weighted_targets
from shopmesh.appmesh.store import Document, Key, Resource, Transaction
from shopmesh.appmesh.weights import AmbiguousWeights
from shopmesh.canary import canary_state
from shopmesh.canary.apply_stage import MIRROR_TAG, apply_stage, match_route, remove_match_route
from shopmesh.canary.canary_state import Canary
from shopmesh.canary.plan import CanaryPlan

_NO_COUNTS: Document = {}


def start(
    route: Key, service: str, plan: CanaryPlan, owner: str, lease: float, transaction: Transaction, context: Context
) -> Canary:
    """Begins the first stage. Raises Conflict while another canary runs on the route, BadRequest for an unfit route."""
    before = reconcile(route, transaction, context)
    if before is not None and before.running:
        raise Conflict(f"{describe(route)} already has a canary, for {before.plan.to}; abort that one first")
    found = _require_route(route, transaction)
    _check_plan_fits(found, plan, transaction)
    stable = tuple(weighted_targets(dict(found.spec)))
    canary = Canary(service=service, plan=plan, owner=owner, lease=lease, stable=stable, since=context.now)
    return _write(route, canary, transaction, context)


def advance(
    route: Key, stage: int, verdict: str, counts: Document, transaction: Transaction, context: Context
) -> Canary:
    """Moves from that stage to the next one, or to 100 %; does nothing if it is in another stage already."""
    canary = _require_canary(route, transaction, context)
    if not canary.running or canary.stage != stage:
        return canary
    closed = canary.end_stage(context.now, verdict, counts)
    if stage + 1 < len(canary.plan.stages):
        return _write(route, replace(closed, stage=stage + 1, since=context.now), transaction, context)
    stages = len(canary.plan.stages)
    done = "its one stage passed" if stages == 1 else f"all {stages} stages passed"
    return _write(route, replace(closed, phase="promoted", since=context.now, reason=done), transaction, context)


def roll_back(route: Key, reason: str, counts: Document, transaction: Transaction, context: Context) -> Canary:
    """Restores the weights from before the canary, at once."""
    canary = _require_canary(route, transaction, context)
    if not canary.running:
        return canary
    closed = canary.end_stage(context.now, reason, counts)
    return _write(route, replace(closed, phase="rolled_back", since=context.now, reason=reason), transaction, context)


def expire(route: Key, transaction: Transaction, context: Context) -> Canary | None:
    """Restores the weights from before the canary, because its lease was not renewed."""
    canary = reconcile(route, transaction, context)
    if canary is None or not canary.running:
        return canary
    reason = f"its lease was not renewed for {canary.lease:g} s"
    closed = canary.end_stage(context.now, reason, _NO_COUNTS)
    return _write(route, replace(closed, phase="expired", since=context.now, reason=reason), transaction, context)


def pause(route: Key, transaction: Transaction, context: Context) -> Canary:
    """Keeps it in its stage; it is still rolled back when it fails."""
    canary = _require_canary(route, transaction, context)
    return _write(route, replace(canary, paused=True), transaction, context) if canary.running else canary


def resume(route: Key, owner: str, transaction: Transaction, context: Context) -> Canary:
    """Continues a paused canary; one that expired begins its stage again, with `owner` as the holder of its lease."""
    canary = _require_canary(route, transaction, context)
    if canary.phase == "expired":
        again = replace(canary, phase="running", owner=owner, since=context.now, reason="", paused=False)
        return _write(route, again, transaction, context)
    if not canary.running:
        raise Conflict(
            f"the canary of {describe(route)} is {canary.phase.replace('_', ' ')}; start a new one with --to"
        )
    if not canary.paused and canary.owner == canary_state.CONTROL_PLANE:
        raise Conflict(f"the canary of {describe(route)} is not paused; the control plane judges it")
    if not canary.paused:
        raise Conflict(
            f"the canary of {describe(route)} has a live lease: another `shopmesh canary` runs it; if that"
            f" command is gone, resume after {canary.lease:g} s"
        )
    # The stage starts anew: a pause does not count towards its patience.
    return _write(route, replace(canary, paused=False, since=context.now), transaction, context)


def reconcile(route: Key, transaction: Transaction, context: Context) -> Canary | None:
    """Returns the canary of a route; stops it if another client changed the route, deletes it with the route.

    An unreadable record counts as no canary, so that a new canary can replace it.
    """
    resource = transaction.get(canary_state.key(route))
    if resource is None:
        return None
    found = transaction.get(route)
    try:
        canary = canary_state.from_resource(resource)
    except canary_state.CanaryStateError:
        if found is None:
            transaction.delete(resource.key)
        return None
    if found is None:
        remove_match_route(route, transaction, context)
        transaction.delete(resource.key)
        return None
    if (found.uid, found.version) == canary.route or canary.phase not in ("running", "expired"):
        return canary
    reason = f"{describe(route)} was changed by another client; its weights stay as they are now"
    stopped = replace(canary.end_stage(context.now, reason, _NO_COUNTS), phase="stopped", reason=reason)
    return _write(route, replace(stopped, since=context.now), transaction, context)


def _require_canary(route: Key, transaction: Transaction, context: Context) -> Canary:
    canary = reconcile(route, transaction, context)
    if canary is None:
        raise NotFound(f"{describe(route)} of mesh {route.mesh} has no canary")
    return canary


def _require_route(route: Key, transaction: Transaction) -> Resource:
    found = transaction.get(route)
    if found is None:
        raise NotFound(f"{describe(route)} does not exist in mesh {route.mesh}")
    return found


def _check_plan_fits(route: Resource, plan: CanaryPlan, transaction: Transaction) -> None:
    name = describe(route.key)
    if "tcpRoute" in route.spec:
        raise BadRequest(
            f"{name} is a TCP route, for which Envoy counts no requests; shift its weights with `shopmesh route`"
        )
    targets = weighted_targets(dict(route.spec))
    nodes = [target["virtualNode"] for target in targets]
    if len(set(nodes)) < len(nodes):
        raise BadRequest(
            f"{name} names one node twice, with different ports; a canary cannot tell their requests apart"
        )
    if sum(target["weight"] for target in targets if target["virtualNode"] == plan.to):
        raise BadRequest(f"to: {plan.to} already gets requests by {name}; set its weight to 0 first")
    if not any(target["weight"] for target in targets):
        raise BadRequest(f"{name} has no target with a weight; give the stable version a weight first")
    if transaction.get(Key("virtualNode", (route.key.mesh, plan.to))) is None:
        raise NotFound(f"to: virtual node {plan.to} does not exist in mesh {route.key.mesh}; create it first")
    if plan.mirror and MIRROR_TAG in dict(route.tags):
        raise BadRequest(f"mirror: {name} already has a mirror ({MIRROR_TAG}); remove it first")
    if plan.match and transaction.get(match_route(route.key)) is not None:
        raise BadRequest(f"match: route {match_route(route.key).name} already exists; delete it first")


def _write(route: Key, canary: Canary, transaction: Transaction, context: Context) -> Canary:
    try:
        arranged = apply_stage(canary, _require_route(route, transaction), transaction, context)
    except AmbiguousWeights as error:
        raise BadRequest(f"{describe(route)}: {error}") from error
    before = transaction.get(canary_state.key(route))
    spec: Mapping[str, Any] = canary_state.to_document(arranged)
    transaction.put(
        Resource(
            key=canary_state.key(route),
            spec=spec,
            uid=before.uid if before else context.new_uid(),
            version=before.version + 1 if before else 1,
            created_at=before.created_at if before else context.now,
            updated_at=context.now,
        )
    )
    return arranged
