"""Virtual services that are joined in groups are the same as without groups, and resources the same as protobuf's."""

from __future__ import annotations

import pytest
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, Resource
from google.protobuf.any_pb2 import Any

from shopmesh.appmesh.store import State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.resources import TYPE_URLS, joined_resource, resource
from shopmesh.xds.snapshot import Snapshot, snapshot
from shopmesh.xds.translate.http.joined_services import GROUP
from tests.unit.xds import meshes

EGRESS = "rds_egress_http_15001"


def called(*services: str, caller: str = "virtualNode") -> Snapshot:
    """What a node or gateway gets that calls these services, each of which has a node of its own."""
    found = [meshes.mesh(), *(meshes.node(f"n{number}") for number in range(len(services)))]
    found += [meshes.service(name, node=f"n{number}") for number, name in enumerate(services)]
    if caller == "virtualNode":
        found.append(meshes.node("caller", backends=services))
    else:
        found.append(meshes.gateway("caller"))
        found += [meshes.gateway_route("caller", f"r{number}", name) for number, name in enumerate(services)]
    key = ProxyNode(mesh="shop", name="caller", instance="caller-1", kind=caller).snapshot_key
    made = DependencyGraph(State(found)).compute_root(snapshot, key)
    assert made is not None
    return made


def hosts(made: Snapshot) -> dict[str, VirtualHost]:
    [wrapped] = DeltaDiscoveryResponse.FromString(made["routes"].resources[EGRESS].encoded).resources
    return {one.name: one for one in RouteConfiguration.FromString(wrapped.resource.value).virtual_hosts}


@pytest.mark.parametrize("caller", ["virtualNode", "virtualGateway"])
@pytest.mark.parametrize("count", [1, GROUP, GROUP + 1, 3 * GROUP])
def test_a_table_has_a_host_for_each_service(count: int, caller: str) -> None:
    """However many groups there are, and a cluster for each target."""
    services = [f"service-{number:03}.local" for number in range(count)]
    made = called(*services, caller=caller)

    assert set(services) == hosts(made).keys() - {"amazonaws"}
    assert {f"cds_egress_shop_n{number}_http_5000" for number in range(count)} <= made["clusters"].resources.keys()


@pytest.mark.parametrize("apart", [1, GROUP + 1])
def test_the_first_of_two_services_with_one_domain_keeps_it(apart: int) -> None:
    """In one group or in two: Envoy compares domains without case, and refuses a table with one twice."""
    between = [f"service-{number}.local" for number in range(apart)]
    made = called("same.local", *between, "SAME.local")

    assert {"same.local", *between} == hosts(made).keys() - {"amazonaws"}
    [finding] = made.findings
    assert "SAME.local" == finding.key.name
    assert "same.local" in finding.what


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 3_000_000])
def test_a_resource_is_the_message_that_protobuf_writes(size: int) -> None:
    """Its lengths are written by hand, so that the body is not copied by each message around it."""
    made = resource("routes", "name", b"x" * size)

    packed = Any(type_url=TYPE_URLS["routes"], value=b"x" * size)
    expected = Resource(name="name", version=made.version, resource=packed)
    assert DeltaDiscoveryResponse(resources=[expected]) == DeltaDiscoveryResponse.FromString(made.encoded)


def test_a_resource_of_parts_is_the_one_of_their_join() -> None:
    parts = [b"ab", b"", b"c" * 300]

    made, expected = joined_resource("routes", "name", parts), resource("routes", "name", b"".join(parts))
    assert (expected, expected.encoded) == (made, made.encoded)
