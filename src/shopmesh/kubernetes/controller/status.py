"""Computes the desired status of an object. Pure functions.

    object, resource, problem, proxies ─desired_status─► our fields ─merge_patch─► the difference to write

The conditions are those of AWS's controller: `VirtualNodeActive` and so on, True once proxies get the configuration of
the object; `Programmed`, as the Gateway API has it, True while all connected proxies run it; and
`PodSelectorConflict`, True while another object selects the same pods. Fields and conditions of other
controllers stay unchanged.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh import arn
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Key, View
from shopmesh.documents.names import KINDS, ObjectName
from shopmesh.kubernetes.api.client import Object, generation
from shopmesh.kubernetes.controller.overlaps import Overlap
from shopmesh.server.grpc.proxies import ProxyStatus

Status = dict[str, Any]

HAVE_PROXIES = ("VirtualNode", "VirtualGateway")
MOST_TEXT = 1000
CONFLICT, OVERLAP = "PodSelectorConflict", "SeveralSelect"
"""The condition, and its reason, of a node or gateway whose pods other objects select as well."""
PROGRAMMED, INVALID, PENDING = "Programmed", "Invalid", "Pending"
"""The condition, which is also its reason while it is True, and its other reasons: a proxy refused the configuration or
the object is not used; no proxy has confirmed it yet. https://gateway-api.sigs.k8s.io/geps/gep-1364/"""
STALE, REFUSED = "Stale", "Refused"
"""Reasons of an inactive object: proxies use an earlier version of it, or none."""
PARTLY_IGNORED = "PartlyIgnored"
"""The reason of an active object with parts that are ignored."""


@dataclass(frozen=True, slots=True)
class ProxyCounts:
    """The proxies of one virtual node or gateway, over all replicas."""

    connected: int = 0
    in_sync: int = 0
    refused: str | None = None

    def to_status(self) -> Status:
        return {"connected": self.connected, "inStep": self.in_sync, "refused": self.refused}


NO_PROXIES = ProxyCounts()


def count_proxies(statuses: Iterable[ProxyStatus]) -> dict[Key, ProxyCounts]:
    """Counts the proxies of each virtual node and gateway, with the first NACK."""
    found: dict[Key, ProxyCounts] = {}
    for one in statuses:
        if not one.connected:
            continue
        key = Key(one.kind, (one.mesh, one.name))
        before = found.get(key, NO_PROXIES)
        refused = before.refused
        if refused is None and one.refusals:
            reasons = "; its ".join(f"{nack.type}: {nack.message}" for nack in one.refusals)
            refused = f"{one.instance} refused its {reasons}"[:MOST_TEXT]
        in_step = before.in_sync + (one.in_sync and one.refused is None)
        found[key] = ProxyCounts(before.connected + 1, in_step, refused)
    return found


def desired_status(
    name: ObjectName,
    found: Object,
    key: Key | None,
    problem: str | None,
    view: View,
    proxies: ProxyCounts | None,
    context: Context,
    overlap: Overlap | None = None,
    warning: str | None = None,
) -> Status:
    """Returns our fields of its status, empty while nothing is known; a field that is None is to be removed.

    `proxies` is None while not all replicas have answered; `overlap` is set when other objects select its pods as well;
    `warning` says which parts of an object in use are ignored.
    """
    if name.kind not in KINDS or (key is None and problem is None):
        return {}
    there = key is not None and view.get(key) is not None
    if not there and problem is None:
        return {}
    status: Status = {
        "conditions": _conditions(name.kind, found, problem, warning, there, overlap, proxies, context.now),
        "observedGeneration": generation(found),
    }
    if there and key is not None:
        status[f"{KINDS[name.kind]}ARN"] = arn.write(key, context)
        if name.kind == "VirtualRouter":
            routes = view.children("route", key.path)
            status["routeARNs"] = {route.key.name: arn.write(route.key, context) for route in routes}
            status["weights"] = weights({route.key.name: weighted_targets(route.spec) for route in routes})
    if name.kind in HAVE_PROXIES and proxies is not None:
        status["proxies"] = proxies.to_status()
    return status


def merge_patch(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> Status:
    """Returns the merge patch (RFC 7386) from the current to the desired fields of a status; empty if equal."""
    change: Status = {}
    for field, value in wanted.items():
        if isinstance(value, dict):
            before = now.get(field)
            known = before if isinstance(before, dict) else {}
            inner = merge_patch(known, {**dict.fromkeys(known), **value})
            if inner or before is None:
                change[field] = inner
        elif now.get(field) != value:
            change[field] = value
    return change


def weights(routes: Mapping[str, Iterable[Mapping[str, Any]]]) -> str:
    """As a column shows them: `product-vn=50,product-v2-vn=50`, with the routes' names where there are several."""
    texts = {
        name: ",".join(f"{target['virtualNode']}={target['weight']}" for target in targets)
        for name, targets in sorted(routes.items())
    }
    if len(texts) == 1:
        return next(iter(texts.values()))[:MOST_TEXT]
    return " ".join(f"{name}:{text}" for name, text in texts.items())[:MOST_TEXT]


def _conditions(
    kind: str,
    found: Object,
    problem: str | None,
    warning: str | None,
    there: bool,
    overlap: Overlap | None,
    proxies: ProxyCounts | None,
    now: float,
) -> list[Status]:
    """Returns our conditions among those of others; a transition time changes only with its status."""
    status = found.get("status")
    known = status.get("conditions") if isinstance(status, dict) else None
    # Other clients may have written anything there.
    conditions = [one for one in known if _is_condition(one)] if isinstance(known, list) else []
    active: Status = {"type": f"{kind}Active", "status": "True" if problem is None else "False"}
    if problem is not None:
        active |= {"reason": STALE if there else REFUSED, "message": problem[:MOST_TEXT]}
    elif warning is not None:
        active |= {"reason": PARTLY_IGNORED, "message": warning[:MOST_TEXT]}
    ours = [active]
    if kind in HAVE_PROXIES and proxies is not None:
        ours.append(_programmed_condition(kind, problem, proxies))
    if overlap is not None:
        said = f"{overlap}; make their podSelectors differ"[:MOST_TEXT]
        ours.append({"type": CONFLICT, "status": "True", "reason": OVERLAP, "message": said})
    elif any(one.get("type") == CONFLICT for one in conditions):
        ours.append({"type": CONFLICT, "status": "False"})
    for one in ours:
        conditions = _with_condition(conditions, one, now)
    return conditions


def _programmed_condition(kind: str, problem: str | None, proxies: ProxyCounts) -> Status:
    """Returns whether the proxies run it. Its text has no counts, so that it is written for transitions only."""
    if problem is not None:
        state = "False", INVALID, f"the object is not used as it is; condition {kind}Active says why"
    elif proxies.refused is not None:
        state = "False", INVALID, proxies.refused
    elif not proxies.connected:
        state = "Unknown", PENDING, "no proxy is connected"
    elif proxies.in_sync < proxies.connected:
        state = "False", PENDING, "not all connected proxies have confirmed it yet"
    else:
        state = "True", PROGRAMMED, "all connected proxies run it"
    return {"type": PROGRAMMED, "status": state[0], "reason": state[1], "message": state[2]}


def transitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Status]:
    """Returns our conditions that deserve an event: those that went wrong, and those that are right again.

    `before` and `after` are the status of one object.
    """
    known = {one["type"]: one for one in before.get("conditions") or () if _is_condition(one)}
    found = []
    for one in after.get("conditions") or ():
        was = known.get(one["type"], {}).get("reason")
        if one["type"] != CONFLICT and one.get("reason") != was and {one.get("reason"), was} & _BAD:
            found.append(one)
    return found


def is_bad(condition: Mapping[str, Any]) -> bool:
    return condition.get("reason") in _BAD


_BAD = {INVALID, STALE, REFUSED}


def _with_condition(conditions: list[Status], this: Status, now: float) -> list[Status]:
    before: Status = next((one for one in conditions if one.get("type") == this["type"]), {})
    same = before.get("status") == this["status"] and before.get("lastTransitionTime")
    this["lastTransitionTime"] = before["lastTransitionTime"] if same else timestamp(now)
    if before:
        return [this if one is before else one for one in conditions]
    return [*conditions, this]


def _is_condition(value: Any) -> bool:
    """Whether an API server would accept it in a write of ours."""
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("type"), str)
        or not isinstance(value.get("status"), str)
    ):
        return False
    return all(text is None or isinstance(text, str) for text in value.values())


def timestamp(seconds: float) -> str:
    """Writes a time as Kubernetes does: RFC 3339, UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
