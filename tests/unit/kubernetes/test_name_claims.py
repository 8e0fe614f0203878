"""Whose a name in a mesh is, and which namespaces join it: the Mesh decides, whatever a tenant writes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.documents.membership import NAMESPACES, named_namespaces
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.resource_types import MESHES
from shopmesh.kubernetes.controller import name_claims
from shopmesh.kubernetes.controller.name_claim_writer import meshes_to_write
from shopmesh.kubernetes.controller.name_claims import NAMES, TRANSFER
from tests.unit.kubernetes.conftest import World, demo

SERVICE = "product.default.svc.cluster.local"
SQUATTER = ObjectName("VirtualService", "evil", "product")
OWNER = ObjectName("VirtualService", "default", "product")


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def service(space: str, node: str = "target") -> dict[str, Any]:
    provider = {"virtualNode": {"virtualNodeRef": {"name": node}}}
    return {
        "apiVersion": "appmesh.k8s.aws/v1beta2",
        "kind": "VirtualService",
        "metadata": {"name": "product", "namespace": space},
        "spec": {"awsName": SERVICE, "provider": provider},
    }


def node(space: str, name: str = "target", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": space}
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualNode", "metadata": metadata, "spec": spec}


def remember(world: World) -> None:
    """What the leader does."""
    for mesh in meshes_to_write(world.store).values():
        world.store.on_upsert(MESHES, world.run(world.server.replace(MESHES, mesh)))
    world.settle()


def annotate(world: World, mesh: str = "shopmesh", **annotations: str) -> None:
    found = copy.deepcopy(world.object("Mesh", mesh))
    known = {"transfer": TRANSFER, "namespaces": NAMESPACES}
    found["metadata"].setdefault("annotations", {}).update({known[name]: text for name, text in annotations.items()})
    world.tell(found)


def restarted(world: World, seed: int = 0) -> World:
    """A replica that begins now, and is told all objects in some order."""
    again = World()
    again.server = world.server
    objects = [(kind, copy.deepcopy(found)) for (kind, _, _), found in world.server.objects.items()]
    random.Random(seed).shuffle(objects)
    for kind, found in objects:
        again.store.on_upsert(kind, found)
    again.settle()
    return again


@pytest.fixture
def shared(world: World) -> World:
    """The demo's mesh, which another tenant may join."""
    world.tell(namespace("evil", mesh="shopmesh"), node("evil"))
    remember(world)
    return world


def test_a_name_stays_with_its_namespace_when_its_object_is_made_again(shared: World) -> None:
    """As Helm and Argo do: another tenant's object of the same name, made meanwhile, waits and is told why."""
    shared.tell(service("evil"))
    assert "belongs to namespace default" in shared.store.problems[SQUATTER]
    assert f"{TRANSFER}=virtualService/{SERVICE}=evil" in shared.store.problems[SQUATTER]

    before = shared.object("VirtualService", "product")
    shared.take_away("VirtualService", "product")
    assert shared.spec("virtualService", SERVICE) is None
    assert "belongs to namespace default" in shared.store.problems[SQUATTER]

    made_again = {**before, "metadata": {"name": "product", "namespace": "default"}}
    shared.tell(made_again)
    assert {SQUATTER} == {*shared.store.problems}
    assert "virtualRouter" in shared.spec("virtualService", SERVICE)["provider"]


@pytest.mark.parametrize("seed", range(5))
def test_all_replicas_agree_whose_a_name_is(shared: World, seed: int) -> None:
    """Also one that begins after the owner's object was made again, and is told of it last."""
    shared.tell(service("evil"))
    before = shared.object("VirtualService", "product")
    shared.take_away("VirtualService", "product")
    remember(shared)
    shared.tell({**before, "metadata": {"name": "product", "namespace": "default"}})
    again = restarted(shared, seed)

    assert shared.store.problems == again.store.problems
    assert OWNER == again.store.owners[Key("virtualService", ("shopmesh", SERVICE))]
    again.close()


def test_the_mesh_s_owner_hands_a_name_over(shared: World) -> None:
    """An annotation of the Mesh decides; it is remembered, so that it can be taken away again."""
    shared.tell(service("evil"))
    annotate(shared, transfer=f"virtualService/{SERVICE}=evil")
    assert {OWNER} == {*shared.store.problems}
    assert "virtualNode" in shared.spec("virtualService", SERVICE)["provider"]

    remember(shared)
    annotate(shared, transfer="")
    assert {OWNER} == {*shared.store.problems}
    assert "belongs to namespace evil" in shared.store.problems[OWNER]


def test_with_a_namespace_go_its_names(shared: World) -> None:
    """Nobody waits for a tenant that is gone."""
    shared.tell(service("evil"))
    shared.take_away("VirtualService", "product")
    shared.take_away("Namespace", "default", namespace="")
    remember(shared)

    assert SQUATTER not in shared.store.problems
    claims = name_claims.read_claims(shared.object("Mesh", "shopmesh"))
    assert "evil" == claims[f"virtualService/{SERVICE}"]


def test_within_one_namespace_the_oldest_is_used_as_ever(shared: World) -> None:
    """Another object of one's own takes the place of the first when that goes."""
    second = service("default", "product")
    second["metadata"]["name"] = "product-again"
    shared.tell(second)
    assert "already" in shared.store.problems[ObjectName("VirtualService", "default", "product-again")]

    shared.take_away("VirtualService", "product")
    assert ObjectName("VirtualService", "default", "product-again") not in shared.store.problems
    assert "virtualNode" in shared.spec("virtualService", SERVICE)["provider"]


def test_nodes_routers_and_gateways_have_their_names_too(shared: World) -> None:
    """The key is what a proxy asks for."""
    shared.take_away("VirtualService", "order")
    shared.take_away("VirtualNode", "order")
    shared.tell(node("evil", "taken", awsName="order-vn"))

    assert "belongs to namespace default" in shared.store.problems[ObjectName("VirtualNode", "evil", "taken")]
    assert Key("virtualNode", ("shopmesh", "order-vn")) not in shared.store.owners


def test_what_is_not_used_has_no_name(world: World) -> None:
    """A document that is refused takes no name from anybody."""
    broken = node("evil", "bad", awsName="wanted", listeners=[{"portMapping": {"port": 1, "protocol": "nonsense"}}])
    world.tell(namespace("evil", mesh="shopmesh"), broken)
    remember(world)

    assert "virtualNode/wanted" not in name_claims.read_claims(world.object("Mesh", "shopmesh"))


def test_a_damaged_memory_is_made_anew(shared: World) -> None:
    """It is the oldest again that is used, and remembered."""
    for text in ("{", "[]", '{"default": 7}', "[" * 9000):
        found = copy.deepcopy(shared.object("Mesh", "shopmesh"))
        found["metadata"]["annotations"][NAMES] = text
        shared.tell(found)
        remember(shared)
        claims = name_claims.read_claims(shared.object("Mesh", "shopmesh"))
        assert "default" == claims[f"virtualService/{SERVICE}"]


def test_what_is_remembered_is_written_once(shared: World) -> None:
    """Nothing is left to be written, and what was written is no change of the mesh."""
    assert {} == meshes_to_write(shared.store)


def test_no_namespace_fills_the_memory_of_the_others() -> None:
    """Where not all fits, each has an equal share, and keeps what was remembered."""
    many = {f"virtualNode/evil-{number:06}": "evil" for number in range(20_000)}
    few = {f"virtualNode/good-{number}": "good" for number in range(100)}
    before = name_claims.annotation({**many, **few}, {})
    kept = name_claims.read_claims({"metadata": {"annotations": {NAMES: before}}})
    assert len(before) <= name_claims.MAX_BYTES
    assert few.items() <= kept.items()

    more = {**kept, **{f"virtualNode/aaa-{number:06}": "evil" for number in range(20_000)}}
    after = json.loads(name_claims.annotation(more, kept))
    assert {claim for claim, space in kept.items() if space == "evil"} >= {*after["evil"]}


def test_a_tenant_s_mesh_reference_admits_nobody(world: World) -> None:
    """The Mesh's namespaceSelector decides; the condition says what to do."""
    world.tell(namespace("evil"), node("evil", meshRef={"name": "shopmesh"}))
    problem = world.store.problems[ObjectName("VirtualNode", "evil", "target")]

    assert world.spec("virtualNode", "target_evil") is None
    assert "Mesh 'shopmesh' does not admit namespace 'evil'; label namespace 'evil' so that" in problem

    world.tell(namespace("evil", mesh="shopmesh"))
    assert {} == world.store.problems
    assert world.spec("virtualNode", "target_evil") is not None


def test_a_mesh_admits_a_namespace_by_name(world: World) -> None:
    """Whether its objects name the Mesh or not; where another Mesh's selector fits, it has those that name none."""
    world.tell(namespace("guest"), node("guest", meshRef={"name": "shopmesh"}), node("guest", "other"))
    assert 2 == len(world.store.problems)
    annotate(world, namespaces=" guest , more")

    assert ("guest", "more") == named_namespaces(world.object("Mesh", "shopmesh"))
    assert {} == world.store.problems
    assert "shopmesh" == world.store.keys[ObjectName("VirtualNode", "guest", "other")].mesh

    labelled = namespace("guest", mesh="second")
    second = {"awsName": "second", "namespaceSelector": {"matchLabels": {"mesh": "second"}}}
    mesh = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "Mesh", "metadata": {"name": "second"}, "spec": second}
    world.tell(labelled, mesh)

    assert "second" == world.store.keys[ObjectName("VirtualNode", "guest", "other")].mesh
    assert "shopmesh" == world.store.keys[ObjectName("VirtualNode", "guest", "target")].mesh


@pytest.mark.parametrize(
    ("selector", "joins"), [({}, True), (None, False), ({"matchLabels": {"mesh": "other"}}, False)]
)
def test_an_empty_selector_admits_all_namespaces_and_an_absent_one_none(
    empty: World, selector: Any, joins: bool
) -> None:
    """As Kubernetes and AWS's controller have it; also for a namespace of which nothing is known yet."""
    spec = {"awsName": "shopmesh"} | ({} if selector is None else {"namespaceSelector": selector})
    mesh = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "Mesh", "metadata": {"name": "shopmesh"}, "spec": spec}
    empty.tell(mesh, namespace("one"), node("one"), node("unknown"), node("one", "two", meshRef={"name": "shopmesh"}))

    used = [empty.spec("virtualNode", name) is not None for name in ("target_one", "target_unknown", "two_one")]
    assert [joins] * 3 == used
    assert joins == (not empty.store.problems)


def test_whoever_may_use_the_api_admits_the_namespace_of_what_is_made(empty: World) -> None:
    """`aws appmesh create-mesh` and what follows work in a cluster whose namespaces have no labels."""
    empty.tell(namespace("default"))
    empty.do("CreateMesh", meshName="shopmesh")
    empty.do("CreateVirtualNode", meshName="shopmesh", virtualNodeName="made", spec={})

    assert empty.spec("virtualNode", "made") is not None
    assert ("default",) == named_namespaces(empty.object("Mesh", "shopmesh"))
    assert {} == empty.store.problems
    asked = len(empty.server.asked)
    empty.do("CreateVirtualNode", meshName="shopmesh", virtualNodeName="another", spec={})
    assert [("create", "another", False)] == empty.server.asked[asked:]


def test_one_who_tells_only_part_changes_no_other_field_of_a_mesh(shared: World) -> None:
    """What the API writes into a Mesh keeps what is remembered there."""
    before = name_claims.read_claims(shared.object("Mesh", "shopmesh"))
    shared.do("UpdateMesh", meshName="shopmesh", spec={"egressFilter": {"type": "ALLOW_ALL"}})

    assert before
    assert before == name_claims.read_claims(shared.object("Mesh", "shopmesh"))


def test_all_kinds_of_the_demo_have_their_names(shared: World) -> None:
    """What is not in the mesh by itself, a route, has none."""
    claims = name_claims.read_claims(shared.object("Mesh", "shopmesh"))
    declared = [one for one in demo() if one["kind"] not in ("Mesh", "Namespace")]

    assert len(declared) + 1 == len(claims)
    assert {"default", "evil"} == {*claims.values()}


def gateway(space: str, **spec: Any) -> dict[str, Any]:
    listeners = [{"portMapping": {"port": 8088, "protocol": "http"}}]
    metadata = {"name": "ingress", "namespace": space}
    found = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualGateway", "metadata": metadata}
    return {**found, "spec": {"listeners": listeners, **spec}}


def test_another_tenant_s_gateway_does_not_take_the_routes_of_one_s_own(shared: World) -> None:
    """One that takes the routes of all namespaces makes nobody's ambiguous; nor does one whose mesh cannot be told."""
    target = {"virtualService": {"virtualServiceRef": {"name": "product"}}}
    route = {
        "apiVersion": "appmesh.k8s.aws/v1beta2",
        "kind": "GatewayRoute",
        "metadata": {"name": "product", "namespace": "default"},
        "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}},
    }
    shared.tell(gateway("evil", namespaceSelector={}), namespace("lost"), gateway("lost", namespaceSelector={}))
    shared.tell(gateway("default", namespaceSelector={"matchLabels": {"mesh": "shopmesh"}}), route)

    assert {ObjectName("VirtualGateway", "lost", "ingress")} == {*shared.store.problems}
    assert shared.spec("gatewayRoute", "ingress_default", "product_default") is not None
