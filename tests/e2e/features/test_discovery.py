"""How callers find a node: by DNS, by its instances, by their attributes; and what leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.store import Resource
from tests.e2e.xds.running import Mesh, Upstream, get
from tests.support.process import eventually
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000/"


def product(port: int = 5000, **discovery: Any) -> Resource:
    return meshes.node("product", [meshes.listener(port)], serviceDiscovery=discovery)


@pytest.mark.feature(3)
@pytest.mark.parametrize("kind", ["LOADBALANCER", "ENDPOINTS"])
def test_a_name_leads_to_its_host(mesh: Mesh, upstream: Upstream, kind: str) -> None:
    """By either kind of answer; a name with the dot that Flagger ends it with is taken as it is."""
    dns = {"hostname": "localhost", "responseType": kind}
    mesh.put(*meshes.shop({"product": 1}), product(upstream.port, dns=dns))
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "it is found")

    # Only a name server knows absolute names; a hosts file, which is all there may be here, does not.
    mesh.converge(mesh.put(product(upstream.port, dns={**dns, "hostname": "localhost."})))
    assert mesh.statuses()["order-1"].in_sync


@pytest.mark.feature(6)
def test_an_address_of_the_other_family_is_not_used(mesh: Mesh, upstream: Upstream) -> None:
    """The application listens on 127.0.0.1 alone: by IPv6 nobody is found; the node's word counts before the mesh's."""
    dns = {"hostname": "localhost"}
    mesh.put(*meshes.shop({"product": 1}))
    mesh.put(meshes.mesh(serviceDiscovery={"ipPreference": "IPv6_ONLY"}), product(upstream.port, dns=dns))
    order = mesh.sidecar("order")
    assert order.get(PRODUCT)[0] == 503

    for preference in ("IPv4_ONLY", "IPv4_PREFERRED"):
        mesh.converge(mesh.put(product(upstream.port, dns={**dns, "ipPreference": preference})))
        eventually(lambda: order.get(PRODUCT) == (200, "v1"), f"{preference} finds it")


@pytest.mark.feature(4, better="without Cloud Map: instances declare themselves, and are called as soon as they listen")
def test_cloud_map_attributes_choose_among_the_instances(mesh: Mesh, upstream: Upstream) -> None:
    """A proxy that declares other attributes than its node asks for gets nothing."""
    asked = [{"key": "stage", "value": "blue"}]
    cloud_map = {"namespaceName": "shop.local", "serviceName": "product", "attributes": asked}
    mesh.put(*meshes.shop({"product": 1}), product(awsCloudMap=cloud_map))
    with Upstream("green") as other:
        mesh.sidecar("product", other, instance="green", attributes={"stage": "green"})
        order = mesh.sidecar("order")
        assert order.get(PRODUCT)[0] == 503

        mesh.sidecar("product", upstream, instance="blue", attributes={"stage": "blue"})
        eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the blue one is found")
        assert {"v1"} == {order.get(PRODUCT)[1] for _ in range(6)}


@pytest.mark.feature(5)
def test_a_node_without_discovery_is_a_client(mesh: Mesh, upstream: Upstream) -> None:
    """It calls others; a route that leads to it finds no endpoint."""
    mesh.put(*meshes.shop({"product": 1}), product(dns={"hostname": "product.local"}))
    mesh.put(meshes.node("order", backends=["product.local", "order.local"], serviceDiscovery={}))
    mesh.put(meshes.service("order.local", node="order"))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order", address=None)

    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "it calls")
    assert order.get("http://order.local:5000/")[0] == 503


@pytest.mark.feature(20)
def test_a_service_is_what_its_provider_makes_of_it(mesh: Mesh, upstream: Upstream) -> None:
    """A router, a node, or nothing: then the name is known and answered 404, even where everything else may pass."""
    mesh.put(*meshes.shop({"product": 1}, egress="ALLOW_ALL"))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "by a router")

    mesh.converge(mesh.put(meshes.service("product.local", node="product")))
    assert order.get(f"{PRODUCT}anywhere") == (200, "v1")
    mesh.converge(mesh.put(meshes.service("product.local")))
    assert order.get(PRODUCT) == (404, "")


@pytest.mark.feature(21)
def test_only_backends_are_reached(mesh: Mesh, upstream: Upstream) -> None:
    """A service that is no backend of the node is unknown to its proxy, until it becomes one."""
    mesh.put(*meshes.shop({"product": 1}), meshes.node("order"))
    product_sidecar = mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    assert get(product_sidecar.ports[5000], "/") == (200, "v1")
    assert order.get(PRODUCT) == (404, "")
    assert not [name for name in order.cluster_names() if "product" in name]

    mesh.converge(mesh.put(meshes.node("order", backends=["product.local"])))
    assert order.get(PRODUCT) == (200, "v1")
