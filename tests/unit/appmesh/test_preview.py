"""2018-10-01 over the same resources: translated at the edge, whole for the later API."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.errors import BadRequest, Conflict, NotFound, ResourceInUse
from tests.unit.appmesh.conftest import World

HTTP = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}
ROUTER = {"meshName": "m", "virtualRouterName": "r"}


def services(world: World) -> list[str]:
    listed = world.do("ListVirtualServices", meshName="m")["virtualServices"]
    return [service["virtualServiceName"] for service in listed]


def router(world: World, *names: str, verb: str = "Create") -> list[str]:
    answer = world.preview(f"{verb}VirtualRouter", **ROUTER, spec={"serviceNames": list(names)})
    found: list[str] = answer["virtualRouter"]["spec"]["serviceNames"]
    return found


def test_node_is_the_same_in_both(world: World) -> None:
    """Backends and discovery are written in each API's own form."""
    earlier = {**HTTP, "backends": ["a.b"], "serviceDiscovery": {"dns": {"serviceName": "n.b"}}}
    later = {
        **HTTP,
        "backends": [{"virtualService": {"virtualServiceName": "a.b"}}],
        "serviceDiscovery": {"dns": {"hostname": "n.b"}},
    }
    names = {"meshName": "m", "virtualNodeName": "n"}

    assert earlier == world.preview("CreateVirtualNode", **names, spec=earlier)["virtualNode"]["spec"]
    assert later == world.do("DescribeVirtualNode", **names)["virtualNode"]["spec"]
    assert later == world.do("UpdateVirtualNode", **names, spec=later)["virtualNode"]["spec"]
    assert earlier == world.preview("DescribeVirtualNode", **names)["virtualNode"]["spec"]


def test_answers_hold_only_what_the_preview_had(world: World) -> None:
    """No owners in the metadata, no specification of a mesh, no ARN twice."""
    assert {"arn", "createdAt", "lastUpdatedAt", "uid", "version"} == set(
        world.preview("DescribeMesh", meshName="m")["mesh"]["metadata"]
    )
    assert {"meshName", "metadata", "status"} == set(world.preview("DescribeMesh", meshName="m")["mesh"])
    assert [{"meshName", "arn"}] == [set(mesh) for mesh in world.preview("ListMeshes")["meshes"]]


def test_services_come_and_go_with_their_router(world: World) -> None:
    """serviceNames become virtual services of the router, follow its updates, and leave with it."""
    assert ["a", "b"] == router(world, "a", "b") == services(world)
    described = world.do("DescribeVirtualService", meshName="m", virtualServiceName="a")["virtualService"]
    assert {"provider": {"virtualRouter": {"virtualRouterName": "r"}}} == described["spec"]

    assert ["b", "c"] == router(world, "b", "c", verb="Update") == services(world)
    kept = world.do("DescribeVirtualService", meshName="m", virtualServiceName="b")["virtualService"]
    assert 1 == kept["metadata"]["version"]

    deleted = world.preview("DeleteVirtualRouter", **ROUTER)["virtualRouter"]
    assert (["b", "c"], "DELETED") == (deleted["spec"]["serviceNames"], deleted["status"]["status"])
    assert [] == services(world)


def test_later_delete_takes_them_too(world: World) -> None:
    """Whichever API deletes the router, its derived services never count as its users."""
    router(world, "a")
    world.do("DeleteVirtualRouter", **ROUTER)

    assert [] == services(world)


def test_derived_service_that_is_used_holds_its_router(world: World) -> None:
    """A gateway route to a derived service keeps it, so the router stays, and so does the name on update."""
    router(world, "a")
    world.make("virtualGateway", "g", HTTP)
    action = {"target": {"virtualService": {"virtualServiceName": "a"}}}
    world.make("gatewayRoute", "q", {"httpRoute": {"match": {"prefix": "/"}, "action": action}}, virtualGatewayName="g")

    for operation in (
        lambda: world.preview("DeleteVirtualRouter", **ROUTER),
        lambda: router(world, verb="Update"),
    ):
        with pytest.raises(ResourceInUse, match="virtual service a is used by gateway route g/q"):
            operation()
    assert ["a"] == services(world)


def test_service_of_the_later_api_is_its_owners(world: World) -> None:
    """One made, or updated, through the later API is listed by the preview, but does not leave with the router."""
    router(world, "a", "b")
    provider = {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}
    world.make("virtualService", "c", provider)
    world.do("UpdateVirtualService", meshName="m", virtualServiceName="a", spec=provider)

    assert ["a", "b", "c"] == world.preview("DescribeVirtualRouter", **ROUTER)["virtualRouter"]["spec"]["serviceNames"]
    assert ["a", "c"] == router(world, verb="Update")
    with pytest.raises(ResourceInUse, match="virtual service a, virtual service c"):
        world.preview("DeleteVirtualRouter", **ROUTER)


def test_name_of_another_provider_is_a_conflict(world: World) -> None:
    """A router cannot take a name that something else provides, and nothing of the request is kept."""
    world.make("virtualService", "taken")

    with pytest.raises(Conflict, match=r"spec\.serviceNames\[1\]: virtual service taken"):
        router(world, "free", "taken")
    assert ["taken"] == services(world)
    with pytest.raises(NotFound):
        world.do("DescribeVirtualRouter", **ROUTER)


@pytest.mark.parametrize("name", ["", "*", "a:80"])
def test_names_of_services_are_checked(world: World, name: str) -> None:
    """serviceNames obey the same rule as the names of virtual services."""
    with pytest.raises(BadRequest):
        router(world, name)


def test_update_keeps_what_the_preview_cannot_name(world: World) -> None:
    """A router keeps its listeners, a node its logging, a route its priority; the rest is replaced."""
    world.make("virtualRouter", "r", HTTP)
    world.make("virtualNode", "n", {"logging": {"accessLog": {"file": {"path": "/dev/stdout"}}}, **HTTP})
    action = {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
    spec = {"httpRoute": {"match": {"prefix": "/", "method": "GET"}, "action": action}}
    world.make("route", "q", {**spec, "priority": 3}, virtualRouterName="r")
    plain: dict[str, Any] = {"httpRoute": {"match": {"prefix": "/x"}, "action": action}}

    router(world, "a", verb="Update")
    world.preview("UpdateVirtualNode", meshName="m", virtualNodeName="n", spec={})
    world.preview("UpdateRoute", **ROUTER, routeName="q", spec=plain)

    assert HTTP == world.do("DescribeVirtualRouter", **ROUTER)["virtualRouter"]["spec"]
    node = world.do("DescribeVirtualNode", meshName="m", virtualNodeName="n")["virtualNode"]["spec"]
    assert {"logging"} == set(node)
    assert {**plain, "priority": 3} == world.do("DescribeRoute", **ROUTER, routeName="q")["route"]["spec"]


def test_what_the_preview_has_no_words_for_is_left_out(world: World) -> None:
    """A gRPC route shows an empty specification there, a Cloud Map node none of its discovery."""
    grpc = {"listeners": [{"portMapping": {"port": 80, "protocol": "grpc"}}]}
    cloud_map = {"awsCloudMap": {"namespaceName": "a", "serviceName": "b"}}
    world.make("virtualRouter", "r", grpc)
    world.make("virtualNode", "n", {**grpc, "serviceDiscovery": cloud_map})
    action = {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
    world.make("route", "q", {"grpcRoute": {"match": {}, "action": action}}, virtualRouterName="r")

    assert {} == world.preview("DescribeRoute", **ROUTER, routeName="q")["route"]["spec"]
    node = world.preview("DescribeVirtualNode", meshName="m", virtualNodeName="n")["virtualNode"]
    assert grpc == node["spec"]


def test_documents_that_only_the_preview_allows(world: World) -> None:
    """Where the preview's model is laxer, the later one's validation still holds."""
    lax: list[dict[str, Any]] = [
        {"listeners": [{"portMapping": {"port": 80}}]},
        {"serviceDiscovery": {"dns": {}}},
    ]
    for spec in lax:
        with pytest.raises(BadRequest, match="required, but missing"):
            world.preview("CreateVirtualNode", meshName="m", virtualNodeName="n", spec=spec)
    router(world)
    with pytest.raises(BadRequest):
        world.preview("CreateRoute", **ROUTER, routeName="q", spec={})
