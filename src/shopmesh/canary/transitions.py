"""What can happen to a canary, each as a function over one transaction that changes the canary and its route together.

start ─► running ─┬─ advance ─► running … ─► promoted
           ▲      ├─ turn_back ─► returned
    resume │      ├─ lapse ─► lapsed ──┐
           └──────┼────────────────────┘
                  └─ settle: the route was changed by somebody else ─► stopped
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
    """Begins the first stage. Conflict while another runs on the route; BadRequest where the route allows none."""
    before = reconcile(route, transaction, context)
    if before is not None and before.running:
        raise Conflict(f"{describe(route)} has a canary already, of {before.plan.to}; abort it first")
    found = _require_route(route, transaction)
    _check_plan_fits(found, plan, transaction)
    stable = tuple(weighted_targets(dict(found.spec)))
    canary = Canary(service=service, plan=plan, owner=owner, lease=lease, stable=stable, since=context.now)
    return _write(route, canary, transaction, context)


def advance(
    route: Key, stage: int, verdict: str, counts: Document, transaction: Transaction, context: Context
) -> Canary:
    """From that stage to the next one, or to 100 %; nothing when it has left that stage already."""
    canary = _require_canary(route, transaction, context)
    if not canary.running or canary.stage != stage:
        return canary
    closed = canary.end_stage(context.now, verdict, counts)
    if stage + 1 < len(canary.plan.stages):
        return _write(route, replace(closed, stage=stage + 1, since=context.now), transaction, context)
    stages = len(canary.plan.stages)
    done = "the one stage went well" if stages == 1 else f"all {stages} stages went well"
    return _write(route, replace(closed, phase="promoted", since=context.now, reason=done), transaction, context)


def roll_back(route: Key, reason: str, counts: Document, transaction: Transaction, context: Context) -> Canary:
    """Back to the weights from before, at once."""
    canary = _require_canary(route, transaction, context)
    if not canary.running:
        return canary
    closed = canary.end_stage(context.now, reason, counts)
    return _write(route, replace(closed, phase="returned", since=context.now, reason=reason), transaction, context)


def expire(route: Key, transaction: Transaction, context: Context) -> Canary | None:
    """Back to the weights from before, because nobody looks after it any more."""
    canary = reconcile(route, transaction, context)
    if canary is None or not canary.running:
        return canary
    reason = f"the command that looked after it was not heard of for {canary.lease:g} s"
    closed = canary.end_stage(context.now, reason, _NO_COUNTS)
    return _write(route, replace(closed, phase="lapsed", since=context.now, reason=reason), transaction, context)


def pause(route: Key, transaction: Transaction, context: Context) -> Canary:
    """Keeps it in its stage; it is turned back all the same when it fails."""
    canary = _require_canary(route, transaction, context)
    return _write(route, replace(canary, paused=True), transaction, context) if canary.running else canary


def resume(route: Key, owner: str, transaction: Transaction, context: Context) -> Canary:
    """A paused one goes on; one that lapsed begins its stage again, looked after by `owner`."""
    canary = _require_canary(route, transaction, context)
    if canary.phase == "lapsed":
        again = replace(canary, phase="running", owner=owner, since=context.now, reason="", paused=False)
        return _write(route, again, transaction, context)
    if not canary.running:
        raise Conflict(f"the canary of {describe(route)} is {canary.phase}; start a new one with --to")
    if not canary.paused:
        raise Conflict(
            f"the canary of {describe(route)} is looked after already; if that command is gone,"
            f" this one can take over in {canary.lease:g} s"
        )
    # From now on, for a pause is no part of a stage's patience.
    return _write(route, replace(canary, paused=False, since=context.now), transaction, context)


def reconcile(route: Key, transaction: Transaction, context: Context) -> Canary | None:
    """The canary of a route, stopped if somebody else changed the route, and gone if the route is.

    A record that is not a canary's counts as none, so that a new canary can take its place.
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
    if (found.uid, found.version) == canary.route or canary.phase not in ("running", "lapsed"):
        return canary
    reason = f"{describe(route)} was changed by somebody else; its weights stay as they are now"
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
        raise BadRequest(f"{name} is of TCP, where Envoy counts no requests; shift it with `shopmesh route`")
    targets = weighted_targets(dict(route.spec))
    nodes = [target["virtualNode"] for target in targets]
    if len(set(nodes)) < len(nodes):
        raise BadRequest(f"{name} names one node twice, by different ports; a canary cannot tell them apart")
    if sum(target["weight"] for target in targets if target["virtualNode"] == plan.to):
        raise BadRequest(f"to: {plan.to} gets requests by {name} already; set its weight to 0 first")
    if not any(target["weight"] for target in targets):
        raise BadRequest(f"{name} sends nobody anything; give the stable version a weight first")
    if transaction.get(Key("virtualNode", (route.key.mesh, plan.to))) is None:
        raise NotFound(f"to: virtual node {plan.to} does not exist in mesh {route.key.mesh}; create it first")
    if plan.mirror and MIRROR_TAG in dict(route.tags):
        raise BadRequest(f"mirror: {name} has a mirror of its own already ({MIRROR_TAG}); take it away first")
    if plan.match and transaction.get(match_route(route.key)) is not None:
        raise BadRequest(f"match: there is a route {match_route(route.key).name} already; delete it first")


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
