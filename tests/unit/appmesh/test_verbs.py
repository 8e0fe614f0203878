"""The five verbs over all kinds: metadata, versions, references, delete rules, pages and tags."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.errors import ApiError, BadRequest, Conflict, Forbidden, NotFound, ResourceInUse, TooManyTags
from shopmesh.appmesh.store import Key, Resource
from tests.support.specs import ARN, HTTP, route
from tests.unit.appmesh.conftest import World


def gateway_route(service: str) -> dict[str, Any]:
    target = {"virtualService": {"virtualServiceName": service}}
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}}


@pytest.fixture
def full(world: World) -> World:
    """One resource of every kind; the service is provided by the router."""
    world.make("virtualNode", "n", HTTP)
    world.make("virtualRouter", "r", HTTP)
    world.make("route", "q", route("n"), virtualRouterName="r")
    world.make("virtualService", "s", {"provider": {"virtualRouter": {"virtualRouterName": "r"}}})
    world.make("virtualGateway", "g", HTTP)
    world.make("gatewayRoute", "gq", gateway_route("s"), virtualGatewayName="g")
    return world


def test_metadata_of_a_new_resource(world: World) -> None:
    """ARN, uid, version 1, both times, and the account as owner of mesh and resource."""
    world.make("virtualRouter", "r")
    world.make("virtualNode", "n")
    made = world.make("route", "q", route("n"), virtualRouterName="r")

    assert {
        "arn": f"{ARN}/virtualRouter/r/route/q",
        "createdAt": 1003.0,
        "lastUpdatedAt": 1003.0,
        "meshOwner": "123456789012",
        "resourceOwner": "123456789012",
        "uid": "uid-3",
        "version": 1,
    } == made["metadata"]
    assert {"status": "ACTIVE"} == made["status"]


def test_update_replaces_and_counts(world: World) -> None:
    """The specification is replaced; version and time move, uid and creation do not; also when nothing differs."""
    before = world.make("virtualNode", "n", HTTP)["metadata"]
    update = {"meshName": "m", "virtualNodeName": "n"}

    for version in (2, 3):
        after = world.do("UpdateVirtualNode", **update, spec={})["virtualNode"]
        assert {} == after["spec"]
        assert {**before, "version": version, "lastUpdatedAt": 1000.0 + version} == after["metadata"]


def test_mesh_without_specification(world: World) -> None:
    """A mesh may be made, and updated, without one; it is then empty."""
    world.do("UpdateMesh", meshName="m", spec={"egressFilter": {"type": "ALLOW_ALL"}})

    assert {} == world.do("UpdateMesh", meshName="m")["mesh"]["spec"]


def test_deleted_is_told_and_gone(full: World) -> None:
    """Users first, everything can be deleted; the answer shows it once more, as DELETED."""
    for kind, names in (
        ("GatewayRoute", {"virtualGatewayName": "g", "gatewayRouteName": "gq"}),
        ("VirtualGateway", {"virtualGatewayName": "g"}),
        ("VirtualService", {"virtualServiceName": "s"}),
        ("Route", {"virtualRouterName": "r", "routeName": "q"}),
        ("VirtualRouter", {"virtualRouterName": "r"}),
        ("VirtualNode", {"virtualNodeName": "n"}),
        ("Mesh", {}),
    ):
        (answer,) = full.do(f"Delete{kind}", meshName="m", **names).values()
        assert {"status": "DELETED"} == answer["status"]
        with pytest.raises(NotFound):
            full.do(f"Describe{kind}", meshName="m", **names)
    assert 0 == len(full.state)


@pytest.mark.parametrize(
    ("operation", "names", "user"),
    [
        ("DeleteVirtualNode", {"virtualNodeName": "n"}, "route r/q"),
        ("DeleteVirtualRouter", {"virtualRouterName": "r"}, "route r/q"),
        ("DeleteVirtualService", {"virtualServiceName": "s"}, "gateway route g/gq"),
        ("DeleteVirtualGateway", {"virtualGatewayName": "g"}, "gateway route g/gq"),
        ("DeleteMesh", {}, "virtual node n, virtual router r, virtual service s, virtual gateway g"),
    ],
)
def test_what_is_used_stays(full: World, operation: str, names: dict[str, str], user: str) -> None:
    """ResourceInUse names who uses it."""
    with pytest.raises(ResourceInUse) as refused:
        full.do(operation, meshName="m", **names)

    assert user in refused.value.message


def test_provider_of_a_service_stays(full: World) -> None:
    """A router without routes, and a node, are held by the service that they provide."""
    full.do("DeleteRoute", meshName="m", virtualRouterName="r", routeName="q")
    full.make("virtualService", "t", {"provider": {"virtualNode": {"virtualNodeName": "n"}}})

    for operation, names in (
        ("DeleteVirtualRouter", {"virtualRouterName": "r"}),
        ("DeleteVirtualNode", {"virtualNodeName": "n"}),
    ):
        with pytest.raises(ResourceInUse, match="virtual service"):
            full.do(operation, meshName="m", **names)


def test_backends_and_instances_hold_nothing(full: World) -> None:
    """A service that is only a backend can go, and a running proxy's address is no child of its mesh."""
    full.make("virtualService", "only-backend")
    backend = {"virtualService": {"virtualServiceName": "only-backend"}}
    full.make("virtualNode", "caller", {"backends": [backend]})
    full.do("DeleteVirtualService", meshName="m", virtualServiceName="only-backend")
    full.do("CreateMesh", meshName="other")
    key = Key("instance", ("other", "virtualNode", "n", "n-1"))
    full.state._put(Resource(key, {"address": "127.0.0.1"}, "u", 1, 0, 0))

    assert full.do("DeleteMesh", meshName="other")


@pytest.mark.parametrize(
    ("kind", "spec", "parents", "field"),
    [
        (
            "route", route("n", "nobody"), {"virtualRouterName": "r"},
            "spec.httpRoute.action.weightedTargets[1].virtualNode",
        ),
        (
            "virtualService", {"provider": {"virtualNode": {"virtualNodeName": "nobody"}}}, {},
            "spec.provider.virtualNode.virtualNodeName",
        ),
        (
            "virtualService", {"provider": {"virtualRouter": {"virtualRouterName": "nobody"}}}, {},
            "spec.provider.virtualRouter.virtualRouterName",
        ),
        (
            "gatewayRoute", gateway_route("nobody"), {"virtualGatewayName": "g"},
            "spec.httpRoute.action.target.virtualService.virtualServiceName",
        ),
    ],
)  # fmt: skip
def test_references_must_resolve(full: World, kind: str, spec: Any, parents: dict[str, str], field: str) -> None:
    """A reference to nothing is NotFound, as App Mesh answered, on create and on update."""
    existing = {"route": "q", "virtualService": "s", "gatewayRoute": "gq"}[kind]
    operation = f"Update{kind[0].upper()}{kind[1:]}"

    with pytest.raises(NotFound) as on_create:
        full.make(kind, "new", spec, **parents)
    with pytest.raises(NotFound) as on_update:
        full.do(operation, meshName="m", **parents, **{f"{kind}Name": existing}, spec=spec)

    for refused in (on_create, on_update):
        assert refused.value.message.startswith(f"{field}: ")
        assert "nobody does not exist in mesh m" in refused.value.message


def test_missing_parents(world: World) -> None:
    """Every verb on a child of what does not exist says which parent is missing."""
    names = {"meshName": "m", "virtualRouterName": "r"}
    for operation, parameters in (
        ("CreateRoute", {**names, "routeName": "q", "spec": route("n")}),
        ("UpdateRoute", {**names, "routeName": "q", "spec": route("n")}),
        ("DescribeRoute", {**names, "routeName": "q"}),
        ("DeleteRoute", {**names, "routeName": "q"}),
        ("ListRoutes", names),
    ):
        with pytest.raises(NotFound, match="virtual router r does not exist in mesh m"):
            world.do(operation, **parameters)


def test_taken_names(full: World) -> None:
    """A name that is taken is a Conflict; the same name of another kind, or below another parent, is free."""
    with pytest.raises(Conflict, match="virtual node n already exists in mesh m"):
        full.make("virtualNode", "n")
    full.make("virtualRouter", "n")
    assert full.make("route", "q", route("n"), virtualRouterName="n")


def test_only_creating_is_advised_where_a_parent_is_missing(world: World) -> None:
    """Who deletes, reads or changes something in a mesh that is not there does not want to create it."""
    names = {"meshName": "gone", "virtualNodeName": "n"}
    with pytest.raises(NotFound, match="mesh gone does not exist; create it first"):
        world.do("CreateVirtualNode", **names, spec={})
    calls: dict[str, Any] = {"Delete": {}, "Describe": {}, "Update": {"spec": {}}}
    for operation, more in calls.items():
        with pytest.raises(NotFound, match=r"mesh gone does not exist$"):
            world.do(f"{operation}VirtualNode", **names, **more)
    with pytest.raises(NotFound, match=r"mesh gone does not exist$"):
        world.do("ListVirtualNodes", meshName="gone")


def test_meshes_of_others(world: World) -> None:
    """One's own account may be named as owner; no other's meshes are shared here."""
    assert world.do("DescribeMesh", meshName="m", meshOwner="123456789012")
    with pytest.raises(Forbidden, match="000000000000"):
        world.do("DescribeMesh", meshName="m", meshOwner="000000000000")


def test_a_mesh_may_be_named_with_its_owner(world: World) -> None:
    """As other accounts name a shared mesh, in calls and ARNs; a new one is named without."""
    shared = "m@123456789012"
    made = world.do("CreateVirtualNode", meshName=shared, virtualNodeName="n", spec={})["virtualNode"]
    arn = made["metadata"]["arn"].replace("mesh/m/", f"mesh/{shared}/")
    world.do("TagResource", resourceArn=arn, tags=[{"key": "k", "value": "v"}])

    assert "m" == made["meshName"]
    assert ["n"] == [n["virtualNodeName"] for n in world.do("ListVirtualNodes", meshName=shared)["virtualNodes"]]
    assert [{"key": "k", "value": "v"}] == world.do("ListTagsForResource", resourceArn=arn)["tags"]
    with pytest.raises(BadRequest, match="'new@123456789012': an account after @ is the owner"):
        world.do("CreateMesh", meshName="new@123456789012")


def test_pages(world: World) -> None:
    """Entries come sorted by name, at most `limit`; the token goes on after the last name whatever came or went."""
    for number in range(5):
        world.make("virtualNode", f"n{number}")
    first = world.do("ListVirtualNodes", meshName="m", limit=2)
    world.do("DeleteVirtualNode", meshName="m", virtualNodeName="n1")
    world.make("virtualNode", "n0-again")
    world.make("virtualNode", "n1-again")
    rest = world.do("ListVirtualNodes", meshName="m", nextToken=first["nextToken"])

    assert ["n0", "n1"] == [entry["virtualNodeName"] for entry in first["virtualNodes"]]
    assert ["n1-again", "n2", "n3", "n4"] == [entry["virtualNodeName"] for entry in rest["virtualNodes"]]
    assert "nextToken" not in rest


def test_no_token_after_the_last_page(world: World) -> None:
    """A page that ends exactly with the last entry has no token."""
    for name in "ab":
        world.make("virtualNode", name)

    assert "nextToken" not in world.do("ListVirtualNodes", meshName="m", limit=2)


def test_at_most_a_hundred_by_default(world: World) -> None:
    """Without a limit a page has up to 100 entries."""
    for number in range(101):
        world.make("virtualNode", f"n{number:03}")
    page = world.do("ListVirtualNodes", meshName="m")

    assert (100, True) == (len(page["virtualNodes"]), "nextToken" in page)


def test_tokens_of_other_lists(world: World) -> None:
    """A token is good for the list that gave it; garbage is a BadRequest, never an internal error."""
    for name in "ab":
        world.make("virtualNode", name)
        world.make("virtualRouter", name)
    token = world.do("ListVirtualNodes", meshName="m", limit=1)["nextToken"]

    for bad in (token, "x", "", "e30=", "WzFd", token[:-2], "é", "A" * 10_000):
        with pytest.raises(BadRequest, match="nextToken"):
            world.do("ListVirtualRouters", meshName="m", nextToken=bad)


def test_tags(world: World) -> None:
    """Tags come with create, are added, replaced and removed, and are no update."""
    tags = [{"key": "b", "value": "1"}, {"key": "a", "value": ""}]
    world.do("CreateVirtualNode", meshName="m", virtualNodeName="n", spec={}, tags=tags)
    arn = f"{ARN}/virtualNode/n"
    world.do("TagResource", resourceArn=arn, tags=[{"key": "b", "value": "2"}, {"key": "c", "value": "3"}])
    world.do("UntagResource", resourceArn=arn, tagKeys=["a", "never there"])
    first = world.do("ListTagsForResource", resourceArn=arn, limit=1)
    rest = world.do("ListTagsForResource", resourceArn=arn, nextToken=first["nextToken"])

    assert [{"key": "b", "value": "2"}, {"key": "c", "value": "3"}] == first["tags"] + rest["tags"]
    node = world.do("DescribeVirtualNode", meshName="m", virtualNodeName="n")["virtualNode"]
    assert (1, 1001.0) == (node["metadata"]["version"], node["metadata"]["lastUpdatedAt"])


def test_tags_are_bounded(world: World) -> None:
    """Fifty fit; one more is refused and none of that request is applied."""
    world.do("TagResource", resourceArn=ARN, tags=[{"key": f"k{n}", "value": ""} for n in range(50)])

    with pytest.raises(TooManyTags, match="51 tags"):
        world.do("TagResource", resourceArn=ARN, tags=[{"key": "one more", "value": ""}])
    assert 50 == len(world.do("ListTagsForResource", resourceArn=ARN)["tags"])


@pytest.mark.parametrize(
    ("arn", "refusal"),
    [
        ("", BadRequest),
        ("arn:aws:s3:::bucket", BadRequest),
        ("arn:aws:appmesh:us-east-1:123456789012:mesh", BadRequest),
        ("arn:aws:appmesh:us-east-1:123456789012:mesh/", BadRequest),
        ("arn:aws:appmesh:us-east-1:123456789012:virtualNode/n", BadRequest),
        ("arn:aws:appmesh:us-east-1:123456789012:mesh/m/route/q", BadRequest),
        ("arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualNode/n/x", BadRequest),
        ("arn:aws:appmesh:eu-west-1:123456789012:mesh/m", NotFound),
        ("arn:aws:appmesh:us-east-1:000000000000:mesh/m", NotFound),
        (f"{ARN}/virtualNode/nobody", NotFound),
        ("arn:aws:appmesh:us-east-1:123456789012:mesh/nowhere", NotFound),
    ],
)
def test_arns_that_name_nothing(world: World, arn: str, refusal: type[ApiError]) -> None:
    """What is no ARN is a BadRequest, what names nothing here is NotFound."""
    with pytest.raises(refusal, match="resourceArn"):
        world.do("TagResource", resourceArn=arn, tags=[])


@pytest.mark.parametrize(
    ("tags", "reason"),
    [([("a", "1"), ("a", "2")], "appears twice"), ([("aws:x", "1")], "reserved"), ([("AWS:x", "1")], "reserved")],
)
def test_bad_tags(world: World, tags: list[tuple[str, str]], reason: str) -> None:
    """A key stands once, and AWS's own prefix is not for users."""
    with pytest.raises(BadRequest, match=reason):
        world.do("TagResource", resourceArn=ARN, tags=[{"key": k, "value": v} for k, v in tags])
