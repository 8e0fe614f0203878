"""Objects of a cluster become the mesh, and changes of the mesh become objects."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import random
import re
from typing import Any

import pytest

from shopmesh.appmesh.errors import ApiError, Conflict, NotFound
from shopmesh.appmesh.store import Key
from shopmesh.documents import DeclaredResource, declared_resources, documents
from shopmesh.documents.convert import resources_of_manifest
from shopmesh.documents.names import ObjectName
from shopmesh.documents.text.output import as_yaml
from shopmesh.kubernetes.api.reflector import Reflector
from shopmesh.kubernetes.api.resource_types import VIRTUAL_NODES, VIRTUAL_ROUTERS
from shopmesh.kubernetes.controller import persisted_metadata
from shopmesh.server.store.store import Commit
from tests.unit.kubernetes.conftest import ROUTE, World, demo, route, shift, weights


def test_a_cluster_has_the_mesh_that_its_manifests_declare(world: World) -> None:
    """The same documents mean the same on a laptop and in a cluster."""
    wanted = declared_resources(documents(as_yaml(demo()), "mesh.yaml"))
    found = [DeclaredResource(one.key, one.spec, dict(one.tags)) for one in world.store.state]

    assert {(one.key, str(one.spec), str(one.tags)) for one in wanted} == {
        (one.key, str(one.spec), str(one.tags)) for one in found
    }
    assert {} == world.store.problems


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_objects_come_does_not_matter(empty: World, seed: int) -> None:
    """A router may be told before the nodes that it names."""
    objects = demo()
    random.Random(seed).shuffle(objects)
    for one in objects:
        empty.tell(one)

    assert {} == empty.store.problems
    assert {"product-vn": 100, "product-v2-vn": 0} == weights(empty)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_objects_go_does_not_matter(world: World, seed: int) -> None:
    """What is still used stays until its users are gone; in the end nothing is left."""
    objects = [one for one in demo() if one["kind"] != "Namespace"]
    random.Random(seed).shuffle(objects)
    for one in objects:
        world.take_away(one["kind"], one["metadata"]["name"])

    assert [] == list(world.store.state)


def test_an_object_that_cannot_be_used_keeps_its_last_good_version_and_says_why(world: World) -> None:
    """A mistake in a cluster breaks nothing that works."""
    broken = copy.deepcopy(world.object("VirtualRouter", "product"))
    broken["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["virtualNodeRef"]["name"] = "prodct"
    world.tell(broken)
    name = ObjectName("VirtualRouter", "default", "product")

    assert {"product-vn": 100, "product-v2-vn": 0} == weights(world)
    assert "spec.routes[0]" in world.store.problems[name]
    assert "'prodct'" in world.store.problems[name]

    broken["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["virtualNodeRef"]["name"] = "product"
    world.tell(broken)
    assert {} == world.store.problems


def test_a_document_that_envoy_would_refuse_is_refused_here_too(world: World) -> None:
    """One way in, whatever the door: the rules that no schema can say hold for kubectl as well."""
    broken = copy.deepcopy(world.object("VirtualRouter", "product"))
    broken["spec"]["routes"][0]["httpRoute"]["match"] = {"path": {"regex": "(unclosed"}}
    world.tell(broken)

    assert "/" == world.spec("route", *ROUTE)["httpRoute"]["match"]["prefix"]
    assert "regex" in world.store.problems[ObjectName("VirtualRouter", "default", "product")]


def test_two_objects_of_one_name_do_not_overwrite_each_other(world: World) -> None:
    """The second is told; when the first goes, it takes its place."""
    second = copy.deepcopy(next(one for one in demo() if one["metadata"]["name"] == "product-v2"))
    second["metadata"]["name"] = "other"
    second["spec"]["listeners"][0]["portMapping"]["port"] = 7000
    world.tell(second)
    name = ObjectName("VirtualNode", "default", "other")

    assert "VirtualNode default/product-v2 already declares product-v2-vn" in world.store.problems[name]
    assert 5000 == world.spec("virtualNode", "product-v2-vn")["listeners"][0]["portMapping"]["port"]

    for one in (one for one in demo() if one["kind"] == "VirtualRouter" and one["metadata"]["name"] == "product"):
        one["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"].pop()
        world.tell(one)
    world.take_away("VirtualNode", "product-v2")
    assert {} == world.store.problems
    assert 7000 == world.spec("virtualNode", "product-v2-vn")["listeners"][0]["portMapping"]["port"]


@pytest.mark.parametrize("in_one_go", [False, True])
@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_of_objects_of_one_name_all_replicas_use_the_oldest(
    order: tuple[int, ...], in_one_go: bool, empty: World
) -> None:
    """Who begins later is told them in another order than they were made in; both must tell proxies the same."""
    for one in demo():
        if one["metadata"]["name"] != "product-v2":
            empty.tell(one)
    node = next(one for one in demo() if one["metadata"]["name"] == "product-v2")
    named = [{**node, "metadata": {**node["metadata"], "name": name}} for name in ("z", "a", "m")]
    made = [empty.write(one) for one in named]
    for number in order:
        empty.store.on_upsert(VIRTUAL_NODES, made[number])
        if not in_one_go:
            empty.settle()
    empty.settle()

    def passed_over() -> set[str]:
        return {name.name for name in empty.store.problems if name.kind == "VirtualNode"}

    assert {"a", "m"} == passed_over()
    assert (
        "VirtualNode default/z already declares product-v2-vn"
        in empty.store.problems[ObjectName("VirtualNode", "default", "a")]
    )
    empty.take_away("VirtualNode", "z")
    assert {"m"} == passed_over()


def test_only_what_an_object_touches_is_told_to_the_proxies(world: World) -> None:
    """Cost follows what changed: a status that we write ourselves is no change at all."""
    told: list[Commit] = []
    world.store.subscribe(told.append)
    world.tell({**copy.deepcopy(world.object("VirtualRouter", "product")), "status": {"weights": "100/0"}})
    assert [] == told

    changed = copy.deepcopy(world.object("VirtualRouter", "product"))
    targets = changed["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    targets[0]["weight"], targets[1]["weight"] = 75, 25
    world.tell(changed)
    keys = [change.key for commit in told for change in commit.changes]
    assert Key("route", ("shopmesh", *ROUTE)) in keys
    assert {"product-vr"} == {key.path[1] for key in keys}


def test_the_api_writes_the_same_objects(world: World) -> None:
    """`aws appmesh update-route` is `kubectl edit`: one object changes, and of it what was said."""
    before = copy.deepcopy(world.object("VirtualRouter", "product"))
    answer = shift(world, 50)
    after = world.object("VirtualRouter", "product")

    assert {"product-vn": 50, "product-v2-vn": 50} == weights(world)
    assert 2 == answer["route"]["metadata"]["version"]
    assert [("replace", "product", False)] == world.server.asked[-1:]
    # The call replaces the whole route, as App Mesh's does: its time-outs and retries are gone.
    targets = after["spec"]["routes"][0].pop("httpRoute")["action"]["weightedTargets"]
    del before["spec"]["routes"][0]["httpRoute"]
    assert before["spec"] == after["spec"]
    assert [("product", 50), ("product-v2", 50)] == [(one["virtualNodeRef"]["name"], one["weight"]) for one in targets]


def test_a_change_meets_one_that_kubectl_made_meanwhile(world: World) -> None:
    """The conflict is read, and the change is made again upon it: neither is lost."""
    changed = copy.deepcopy(world.object("VirtualRouter", "product"))
    changed["metadata"]["labels"] = {"team": "shop"}
    world.write(changed)
    shift(world, 25)

    assert {"team": "shop"} == world.object("VirtualRouter", "product")["metadata"]["labels"]
    assert {"product-vn": 75, "product-v2-vn": 25} == weights(world)


def test_somebody_who_always_is_faster_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop of conflicts ends."""

    async def never(*_: Any) -> Any:
        from shopmesh.kubernetes.api.client import ConflictError

        raise ConflictError("changed", 409, "Conflict")

    monkeypatch.setattr(world.server, "replace", never)

    with pytest.raises(Conflict, match="kept changing"):
        shift(world, 25)


def test_resources_come_and_go_by_the_api(world: World) -> None:
    """What the API creates is an object like any other, what it deletes is gone."""
    node = {"meshName": "shopmesh", "virtualNodeName": "stock-vn"}
    made = world.do(
        "CreateVirtualNode", **node, spec={"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}
    )
    found = world.object("VirtualNode", "stock-vn")

    assert found["spec"]["awsName"] == "stock-vn"
    assert made["virtualNode"]["metadata"]["uid"] == found["metadata"]["uid"]

    world.do("DeleteVirtualNode", **node)
    assert (VIRTUAL_NODES, "default", "stock-vn") not in world.server.objects
    assert world.spec("virtualNode", "stock-vn") is None


def test_what_the_rules_refuse_is_not_written(world: World) -> None:
    """References must resolve, and what is used cannot be deleted."""
    names = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "second"}
    wrong = {
        "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": "x", "weight": 1}]}}
    }
    asked = len(world.server.asked)

    with pytest.raises(NotFound):
        world.do("CreateRoute", **names, spec=wrong)
    with pytest.raises(ApiError, match="is used by"):
        world.do("DeleteVirtualNode", meshName="shopmesh", virtualNodeName="product-vn")
    assert asked == len(world.server.asked)


def test_routes_are_added_and_removed_within_their_router(world: World) -> None:
    """A route has no object of its own."""
    names = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "second"}
    spec = {**route(100), "priority": 1}
    spec["httpRoute"]["match"] = {"prefix": "/new"}
    world.do("CreateRoute", **names, spec=spec)

    assert ["product-r", "second"] == [
        one["name"] for one in world.object("VirtualRouter", "product")["spec"]["routes"]
    ]

    world.do("DeleteRoute", **names)
    assert ["product-r"] == [one["name"] for one in world.object("VirtualRouter", "product")["spec"]["routes"]]


def test_tags_that_manifests_have_no_place_for_are_kept(world: World) -> None:
    """TagResource is as good in a cluster as elsewhere, for routes too."""
    for path in ("virtualRouter/product-vr", "virtualRouter/product-vr/route/product-r"):
        arn = f"arn:aws:appmesh:us-east-1:123456789012:mesh/shopmesh/{path}"
        world.do("TagResource", resourceArn=arn, tags=[{"key": "team", "value": path}])
        found = world.do("ListTagsForResource", resourceArn=arn)["tags"]
        assert {"key": "team", "value": path} in found
    world.tell(world.object("VirtualRouter", "product"))

    again = World()
    again.tell(*demo(), world.object("VirtualRouter", "product"))
    kept_there = again.store.state.get(Key("route", ("shopmesh", *ROUTE)))
    assert kept_there is not None
    assert (("team", "virtualRouter/product-vr/route/product-r"),) == kept_there.tags
    again.close()


def test_an_annotation_of_ours_is_set_by_a_tag(world: World) -> None:
    """What the vocabulary knows stands in the manifest as its reader expects it."""
    arn = "arn:aws:appmesh:us-east-1:123456789012:mesh/shopmesh/virtualRouter/product-vr/route/product-r"
    world.do("TagResource", resourceArn=arn, tags=[{"key": "shopmesh.dev/mirror", "value": "product-v2-vn 10%"}])
    annotations = world.object("VirtualRouter", "product")["metadata"]["annotations"]

    assert "product-v2-vn 10%" == annotations["shopmesh.dev/product-r.mirror"]


def test_a_route_has_its_own_version(world: World) -> None:
    """It grows when that route changes, by the API or by kubectl, and not with its neighbours."""
    shift(world, 25)
    names = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "second"}
    spec = {**route(100), "priority": 1}
    spec["httpRoute"]["match"] = {"prefix": "/new"}
    world.do("CreateRoute", **names, spec=spec)
    key = Key("route", ("shopmesh", *ROUTE))

    def version() -> int:
        found = world.store.state.get(key)
        assert found is not None
        return int(found.version)

    assert 2 == version()

    edited = copy.deepcopy(world.object("VirtualRouter", "product"))
    edited["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = 60
    world.tell(edited)
    assert version() > 2


def test_a_damaged_annotation_costs_what_it_kept_and_nothing_else(world: World) -> None:
    """It is in everybody's hands."""
    shift(world, 25)
    damaged = copy.deepcopy(world.object("VirtualRouter", "product"))
    damaged["metadata"]["annotations"][persisted_metadata.ANNOTATION] = '{"routes": 7}'
    world.tell(damaged)
    name = ObjectName("VirtualRouter", "default", "product")

    assert {"product-vn": 75, "product-v2-vn": 25} == weights(world)
    assert {} == world.store.problems
    assert "kept is ignored: routes is 7, and should be an object" in world.store.warnings[name]

    world.take_away("VirtualRouter", "product")
    assert {} == world.store.warnings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version":1e400}', "the number 1e400 is beyond the range of a float"),
        ('{"version":-1}', "version is -1, and should be a whole number from 0"),
        ('{"version":true}', "version is True, and should be a whole number from 0"),
        ('{"digest":[]}', "digest is [], and should be a string"),
        ('{"tags":{"a":1}}', "tags[0].value: 1 is a number, expected a string"),
        ('{"tags":{"":"a"}}', "tags[0].key: has 0 characters"),
        ('{"x":1}', "unknown field 'x'"),
        ('{"routes":{"r":{"canary":{"x":1}}}}', "canary: "),
        ('{"routes":{"r":{"routes":{}}}}', "unknown field 'routes'"),
        ("[" * 5000 + "]" * 5000, "it is nested deeper than 64 levels"),
        ("7", "it is 7, and should be an object"),
    ],
)
def test_what_an_object_keeps_is_validated_like_a_request(text: str, said: str) -> None:
    """Whoever may write an object may have written its annotations."""
    found = {"metadata": {"annotations": {persisted_metadata.ANNOTATION: text}}}
    with pytest.raises(persisted_metadata.PersistedMetadataError, match=re.escape(said)):
        persisted_metadata.read(found)


def test_an_error_that_nobody_foresaw_is_its_object_s_problem_and_logged_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours in one object's conversion leaves all others' changes alone, and each retry is quiet."""

    def broken(source: Any, objects: Any) -> Any:
        if source.value["metadata"]["name"] == "customer":
            raise RuntimeError("a mistake of ours")
        return resources_of_manifest(source, objects)

    monkeypatch.setattr("shopmesh.kubernetes.controller.desired_state.resources_of_manifest", broken)
    for number in range(3):
        node = copy.deepcopy(world.object("VirtualNode", "customer"))
        node["metadata"]["labels"] = {"again": str(number)}
        world.tell(node)
    shift(world, 25)

    assert {"product-vn": 75, "product-v2-vn": 25} == weights(world)
    problem = world.store.problems[ObjectName("VirtualNode", "default", "customer")]
    assert "the control plane cannot use it (RuntimeError: a mistake of ours)" in problem
    assert 1 == sum("VirtualNode default/customer cannot be used" in one.message for one in caplog.records)


def test_the_services_of_a_preview_router_come_and_go_with_it(world: World) -> None:
    """The 2018-10-01 API works in a cluster too: its derived services know their router there."""
    from shopmesh.appmesh.api import operations, rest_json
    from shopmesh.appmesh.api.model import PREVIEW

    def do(operation: str, **parameters: Any) -> None:
        call = rest_json.binding_of(PREVIEW, operation)
        checked = rest_json.validate(call, parameters)
        world.run(world.store.submit(lambda t: operations.handle(call.operation, checked, t, world.store.context())))

    names = {"meshName": "shopmesh", "virtualRouterName": "stock-vr"}
    do("CreateVirtualRouter", **names, spec={"serviceNames": ["stock.default.svc.cluster.local"]})
    found = world.store.state.get(Key("virtualService", ("shopmesh", "stock.default.svc.cluster.local")))
    assert found is not None
    assert Key("virtualRouter", ("shopmesh", "stock-vr")) == found.derived_from

    do("DeleteVirtualRouter", **names)
    assert world.spec("virtualService", "stock.default.svc.cluster.local") is None
    assert (VIRTUAL_ROUTERS, "default", "stock-vr") not in world.server.objects


def test_a_canary_lives_in_its_router_s_object(world: World) -> None:
    """Whatever replica looks after it finds its plan, and sees when somebody else changes the route."""
    from shopmesh.canary import canary_state, plan, transitions

    key = Key("route", ("shopmesh", *ROUTE))
    wanted = plan.from_document({"to": "product-v2-vn", "steps": [10, 50], "every": 10})
    world.run(
        world.store.submit(lambda t: transitions.start(key, "product", wanted, "me", 5.0, t, world.store.context()))
    )
    assert {"product-vn": 90, "product-v2-vn": 10} == weights(world)

    again = World()
    again.tell(*demo(), world.object("VirtualRouter", "product"))
    found = again.store.state.get(canary_state.key(key))
    assert found is not None
    assert canary_state.from_resource(found).running
    settled = again.run(again.store.submit(lambda t: transitions.reconcile(key, t, again.store.context())))
    assert settled.running

    edited = copy.deepcopy(again.object("VirtualRouter", "product"))
    edited["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"][0]["weight"] = 80
    again.tell(edited)
    stopped = again.run(again.store.submit(lambda t: transitions.reconcile(key, t, again.store.context())))
    again.close()
    assert "stopped" == stopped.phase


def test_what_was_told_while_something_failed_is_taken_in_the_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own mistake must not cost a change that nobody will tell again."""
    edited = copy.deepcopy(world.object("VirtualRouter", "product"))
    targets = edited["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    targets[0]["weight"], targets[1]["weight"] = 75, 25

    def broken(*_: Any) -> Any:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patched:
        patched.setattr("shopmesh.kubernetes.store.kubernetes_store.reconcile", broken)
        with pytest.raises(RuntimeError):
            world.tell(edited)
    world.settle()

    assert {"product-vn": 75, "product-v2-vn": 25} == weights(world)


def test_who_watches_objects_cannot_fail_the_write_that_it_is_told_of(world: World) -> None:
    """The API server has the change already: it is answered, and the others who watch are told."""
    told: list[int] = []

    def fail(_: object) -> None:
        raise LookupError("a bug")

    world.store.subscribe_objects(fail)
    world.store.subscribe_objects(lambda objects: told.append(len([*objects])))
    shift(world, 50)

    assert {"product-vn": 50, "product-v2-vn": 50} == weights(world)
    assert told


def test_a_store_whose_watch_has_ended_says_so(empty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that ends one of its tasks must not pass for health: the mesh would stay as it is for ever."""

    async def end(_: Reflector) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(Reflector, "run", end)

    async def play() -> str | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2), empty.store.watching():
                pass
        failure: str | None = empty.store.failure
        return failure

    failure = asyncio.run(play())

    assert "has ended (LookupError('a bug')): the mesh stays as it is; restart the control plane" in (failure or "")
