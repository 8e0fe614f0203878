"""What `kubectl get`, Flagger and people read in an object's status."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.status import (
    ProxyCounts,
    count_proxies,
    desired_status,
    merge_patch,
    transitions,
    weights,
)
from shopmesh.server.grpc.proxies import Nack, ProxyStatus
from tests.unit.kubernetes.conftest import World

CONTEXT = Context("123456789012", "eu-central-1", 0.0, lambda: "uid")
ARN = "arn:aws:appmesh:eu-central-1:123456789012:mesh/shopmesh"


def status(world: World, kind: str, name: str, proxies: ProxyCounts | None = None, **now: Any) -> Any:
    """What it should be, where it is `now`."""
    called = ObjectName(kind, "" if kind == "Mesh" else "default", name)
    store = world.store
    found = {**store.objects[called], "status": now}
    return desired_status(
        called, found, store.keys.get(called), store.problems.get(called), store.state, proxies, CONTEXT
    )


def proxy(number: int, **other: Any) -> ProxyStatus:
    well: dict[str, Any] = {
        "address": None,
        "since": 1.0,
        "known": True,
        "declared": True,
        "types": {},
        "refused": None,
    }
    given: Any = {"connected": True, "in_sync": True, **well, **other}
    return ProxyStatus("shopmesh", "virtualNode", "product-vn", f"product-{number}", **given)


def test_every_kind_has_its_condition_and_its_arn(world: World) -> None:
    """The fields of AWS's controller, with the generation that they are about."""
    told = {kind: status(world, kind, name) for kind, name in (("Mesh", "shopmesh"), ("VirtualNode", "product"))}
    condition = {"type": "VirtualNodeActive", "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"}

    assert {
        "conditions": [condition],
        "observedGeneration": 1,
        "virtualNodeARN": f"{ARN}/virtualNode/product-vn",
    } == told["VirtualNode"]
    assert (ARN, "MeshActive") == (told["Mesh"]["meshARN"], told["Mesh"]["conditions"][0]["type"])


def test_a_router_tells_its_routes_and_weights(world: World) -> None:
    """Those that are in the mesh, by whatever door they came."""
    told = status(world, "VirtualRouter", "product")

    assert {"product-r": f"{ARN}/virtualRouter/product-vr/route/product-r"} == told["routeARNs"]
    assert "product-vn=100,product-v2-vn=0" == told["weights"]


def test_weights_of_several_routes_stand_behind_their_names() -> None:
    """Short, for they are a column."""
    one, other = [{"virtualNode": "a", "weight": 1}], [{"virtualNode": "b", "weight": 2}]

    assert ("a=1", "r:a=1 s:b=2", "") == (weights({"r": one}), weights({"s": other, "r": one}), weights({}))


def test_why_an_object_is_not_used_is_its_message(world: World) -> None:
    """Stale where the mesh goes on with what it said before, refused where it never had it."""
    node = world.object("VirtualNode", "product")
    wrong = {"listeners": [{"portMapping": {"port": 0, "protocol": "http"}}]}
    world.tell({**node, "spec": {**node["spec"], **wrong}})
    stranger = {**node, "metadata": {"name": "stranger", "namespace": "nowhere"}}
    world.tell(stranger)
    [stale] = status(world, "VirtualNode", "product")["conditions"]

    assert ("False", "Stale") == (stale["status"], stale["reason"])
    assert "port" in stale["message"]
    problem = world.store.problems.get(ObjectName("VirtualNode", "nowhere", "stranger"))
    assert problem is not None


def test_the_time_of_a_condition_moves_with_its_status_alone(world: World) -> None:
    """And the conditions of others stay."""
    other = {"type": "Other", "status": "True"}
    before = {"type": "VirtualNodeActive", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}

    assert [other, before] == status(world, "VirtualNode", "product", conditions=[other, before])["conditions"]
    inactive = {**before, "status": "False", "reason": "Refused", "message": "why"}
    [_, after] = status(world, "VirtualNode", "product", conditions=[other, inactive])["conditions"]
    assert {"type": "VirtualNodeActive", "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"} == after


def test_proxies_are_counted_where_they_are_connected() -> None:
    """In step are those that refuse nothing; all that the first one refused is told in Envoy's words."""
    nacks = [Nack("clusters", "bad name", 1.0), Nack("routes", "bad regex", 1.0)]
    refusing = proxy(3, in_sync=False, refused=nacks[0], also_refused=nacks[1:])
    found = count_proxies([proxy(1), proxy(2, in_sync=False), refusing, proxy(4, connected=False)])

    assert {
        Key("virtualNode", ("shopmesh", "product-vn")): ProxyCounts(
            3, 1, "product-3 refused its clusters: bad name; its routes: bad regex"
        )
    } == found


@pytest.mark.parametrize(
    ("proxies", "said"),
    [
        (ProxyCounts(2, 2), ("True", "Programmed", "all connected proxies run it")),
        (ProxyCounts(2, 1), ("False", "Pending", "not all connected proxies have confirmed it yet")),
        (ProxyCounts(), ("Unknown", "Pending", "no proxy is connected")),
        (ProxyCounts(2, 1, "p refused its listeners: x"), ("False", "Invalid", "p refused its listeners: x")),
    ],
)
def test_whether_the_proxies_run_it_is_a_condition(world: World, proxies: ProxyCounts, said: tuple[str, ...]) -> None:
    """As the Gateway API has it; an object can be used, and every proxy refuse it."""
    active, programmed = status(world, "VirtualNode", "product", proxies)["conditions"]

    assert ("VirtualNodeActive", "True") == (active["type"], active["status"])
    assert ("Programmed", *said) == tuple(programmed[field] for field in ("type", "status", "reason", "message"))


def test_only_kinds_with_proxies_are_programmed(world: World) -> None:
    """And an object that is not used is not, whatever its proxies run."""
    router = status(world, "VirtualRouter", "product", ProxyCounts(1, 1))["conditions"]
    node = copy.deepcopy(world.object("VirtualNode", "product"))
    node["spec"]["listeners"][0]["portMapping"]["port"] = 0
    world.tell(node)
    _, programmed = status(world, "VirtualNode", "product", ProxyCounts(1, 1))["conditions"]

    assert ["VirtualRouterActive"] == [one["type"] for one in router]
    assert ("False", "Invalid") == (programmed["status"], programmed["reason"])


def conditions(reason: str | None, text: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": "Programmed", "status": "False", "reason": reason, "message": text}]}


def test_events_are_for_what_went_wrong_and_what_is_right_again() -> None:
    """Not for a proxy that comes, nor for other words about the same."""
    told = [
        [one["reason"] for one in transitions(before, after)]
        for before, after in (
            ({}, conditions("Pending")),
            (conditions("Pending"), conditions("Programmed")),
            (conditions("Programmed"), conditions("Invalid", "p-1 refused")),
            (conditions("Invalid", "p-1 refused"), conditions("Invalid", "p-2 refused")),
            (conditions("Invalid", "p-2 refused"), conditions("Programmed")),
        )
    ]

    assert [[], [], ["Invalid"], [], ["Programmed"]] == told


def test_proxies_that_nobody_knows_all_of_are_not_told(world: World) -> None:
    """What stands there stays."""
    assert "proxies" not in status(world, "VirtualNode", "product")
    assert {"connected": 2, "inStep": 1, "refused": None} == status(world, "VirtualNode", "product", ProxyCounts(2, 1))[
        "proxies"
    ]
    assert "proxies" not in status(world, "VirtualRouter", "product", ProxyCounts())


def test_only_what_differs_is_written() -> None:
    """A merge patch: null takes away, and nothing of others' is named."""
    now = {"a": 1, "conditions": [1], "routeARNs": {"x": "1", "y": "2"}, "theirs": 5, "proxies": {"refused": "why"}}
    wanted = {"a": 1, "conditions": [2], "routeARNs": {"x": "1"}, "proxies": {"connected": 0, "refused": None}}

    assert {
        "conditions": [2],
        "routeARNs": {"y": None},
        "proxies": {"connected": 0, "refused": None},
    } == merge_patch(now, wanted)
    assert {} == merge_patch(
        {"proxies": {"connected": 0}, "routeARNs": {}}, {"proxies": {"connected": 0, "refused": None}}
    )
    assert {"routeARNs": {}} == merge_patch({}, {"routeARNs": {}})
