"""EndpointSlices become the instances of virtual nodes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shopmesh.appmesh.store import Document
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.client import Object
from shopmesh.kubernetes.controller.endpoints import shared_services
from shopmesh.kubernetes.identity.findings import cluster_findings
from tests.unit.kubernetes.conftest import World

PORTS = [{"name": "http", "port": 5000, "targetPort": 5000}]


def service(name: str, ports: Any = PORTS, **spec: Any) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports, **spec}}


def pod(name: str, app: str, version: str) -> Object:
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/version": version}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels}}


def endpoint(address: str, of: str | None, **conditions: bool) -> dict[str, Any]:
    target = {"targetRef": {"kind": "Pod", "name": of, "namespace": "default"}} if of else {}
    return {"addresses": [address], "conditions": {"ready": True, **conditions}, **target}


def slices(of: str, *endpoints: dict[str, Any], name: str = "1", port: int = 5000, family: str = "IPv4") -> Object:
    labels = {"kubernetes.io/service-name": of}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{of}-{name}", "namespace": "default", "labels": labels},
        "addressType": family,
        "endpoints": [*endpoints],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def instances(world: World, node: str = "product-vn") -> dict[str, Document]:
    found = world.store.state.children("instance", ("shopmesh", "virtualNode", node))
    return {one.key.name: one.spec for one in found}


def addresses(world: World, node: str = "product-vn") -> list[str]:
    return sorted(str(spec["address"]) for spec in instances(world, node).values() if "address" in spec)


def test_a_node_has_the_ready_pods_of_the_service_that_its_host_name_names(world: World) -> None:
    """Address and port come from the slices, whatever a proxy says of itself."""
    world.tell(service("product"), pod("p1", "product", "1.0"), slices("product", endpoint("10.0.0.1", "p1")))

    assert {"p1": {"address": "10.0.0.1", "ports": {"5000": 5000}}} == instances(world)


def test_a_node_whose_host_name_names_no_service_is_found_by_dns(world: World) -> None:
    """A name outside of the cluster, or an ExternalName, is one for DNS."""
    assert {} == instances(world)

    world.tell(service("product", type="ExternalName", externalName="shop.example"))
    assert {} == instances(world)


def test_a_service_without_endpoints_is_an_empty_cluster_and_not_a_name(world: World) -> None:
    """A DNS name may lead anywhere; and so it is again when the Service goes."""
    world.tell(service("product"))
    assert [{}] == list(instances(world).values())

    world.take_away("Service", "product")
    assert {} == instances(world)


def test_a_headless_service_is_one_as_any_other(world: World) -> None:
    """The pods of a StatefulSet are found by it, each by its own name."""
    world.tell(service("product", clusterIP="None"), *(pod(f"product-{n}", "product", "1.0") for n in range(2)))
    world.tell(slices("product", *(endpoint(f"10.0.0.{n}", f"product-{n}") for n in range(2))))

    assert {"product-0", "product-1"} == instances(world).keys()


def test_a_pod_that_is_going_away_gets_no_new_request(world: World) -> None:
    """From the moment that it is terminating; it may still serve what is under way."""
    both = [endpoint("10.0.0.1", "p1"), endpoint("10.0.0.2", "p2")]
    world.tell(service("product"), pod("p1", "product", "1.0"), pod("p2", "product", "1.0"), slices("product", *both))
    assert ["10.0.0.1", "10.0.0.2"] == addresses(world)

    leaving = endpoint("10.0.0.1", "p1", ready=False, serving=True, terminating=True)
    world.tell(slices("product", leaving, both[1]))
    assert ["10.0.0.2"] == addresses(world)


def test_pods_that_only_terminate_serve_until_the_last(world: World) -> None:
    """Better a pod that is going away than none; one that does not serve any more is none."""
    leaving = endpoint("10.0.0.1", "p1", ready=False, serving=True, terminating=True)
    dead = endpoint("10.0.0.2", "p2", ready=False, serving=False, terminating=True)
    world.tell(service("product"), pod("p1", "product", "1.0"), pod("p2", "product", "1.0"))
    world.tell(slices("product", leaving, dead))

    assert ["10.0.0.1"] == addresses(world)


def test_a_node_has_all_endpoints_of_its_service_whatever_its_selector_selects(world: World) -> None:
    """Also pods without labels, or of which no watch has told; as for App Mesh, where DNS says it."""
    node = copy.deepcopy(world.object("VirtualNode", "product"))
    world.tell(service("product"), slices("product", endpoint("10.0.0.1", "p1"), endpoint("10.0.0.2", None)))
    assert ["10.0.0.1", "10.0.0.2"] == addresses(world)

    for version in ("canary-tbd", "2.0"):
        node["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/version"] = version
        world.tell(node, pod("p1", "product", "1.0"))
        assert ["10.0.0.1", "10.0.0.2"] == addresses(world)


def test_two_nodes_that_name_one_service_are_found(world: World) -> None:
    """However they spell its name: both have all its endpoints, and no weight tells them apart."""
    node = copy.deepcopy(world.object("VirtualNode", "product-v2"))
    node["spec"]["serviceDiscovery"]["dns"]["hostname"] = "product.default."
    world.tell(node)
    assert {} == shared_services(world.store.keys, world.store.cache)

    world.tell(service("product"), slices("product", endpoint("10.0.0.1", "p1")))
    stable, canary = (ObjectName("VirtualNode", "default", name) for name in ("product", "product-v2"))
    shared = shared_services(world.store.keys, world.store.cache)
    assert addresses(world) == addresses(world, "product-v2-vn")
    assert {
        stable: "names Service default/product, as VirtualNode default/product-v2 does",
        canary: "names Service default/product, as VirtualNode default/product does",
    } == {name: str(one) for name, one in shared.items()}

    found = list(cluster_findings([], world.store, {}, {}, shared))
    assert {("SM222", "error", "product-vn"), ("SM222", "error", "product-v2-vn")} == {
        (one.code, one.severity, one.key.name) for one in found
    }

    world.tell(service("product", type="ExternalName", externalName="shop.example"))
    assert {} == shared_services(world.store.keys, world.store.cache)


def test_ports_go_by_the_service_s_names(world: World) -> None:
    """A listener's port is the Service's; what stands behind it is told by the slices."""
    node = copy.deepcopy(world.object("VirtualNode", "product"))
    node["spec"]["listeners"][0]["portMapping"]["port"] = 80
    world.tell(node, service("product", [{"name": "http", "port": 80, "targetPort": "web"}]))
    world.tell(pod("p1", "product", "1.0"), slices("product", endpoint("10.0.0.1", "p1"), port=8080))

    assert {"80": 8080} == instances(world)["p1"]["ports"]


def test_a_pod_of_two_families_is_an_endpoint_in_each(world: World) -> None:
    """Which of them is used follows the mesh's ipPreference."""
    world.tell(service("product"), pod("p1", "product", "1.0"), slices("product", endpoint("10.0.0.1", "p1")))
    world.tell(slices("product", endpoint("fd00::1", "p1"), name="2", family="IPv6"))

    assert ["10.0.0.1", "fd00::1"] == addresses(world)


def test_a_node_on_cloud_map_has_the_pods_that_it_selects(world: World) -> None:
    """There is no Cloud Map in a cluster; its pods are what the controller registered there."""
    node = copy.deepcopy(world.object("VirtualNode", "product"))
    attributes = [{"key": "stage", "value": "blue"}]
    cloud_map = {"namespaceName": "shop", "serviceName": "product", "attributes": attributes}
    node["spec"]["serviceDiscovery"] = {"awsCloudMap": cloud_map}
    world.tell(node, service("anything"), pod("p1", "product", "1.0"), pod("p2", "product", "2.0"))
    world.tell(slices("anything", endpoint("10.0.0.1", "p1"), endpoint("10.0.0.2", "p2")))

    assert ["10.0.0.1"] == addresses(world)
    assert {"stage": "blue"} == instances(world)["p1"]["attributes"]


def test_the_instances_go_with_their_node(world: World) -> None:
    """Nothing is left of it."""
    world.tell(
        service("customer-v15"), pod("c1", "customer", "1.5"), slices("customer-v15", endpoint("10.0.0.9", "c1"))
    )
    assert ["10.0.0.9"] == addresses(world, "customer-v15-vn")

    router = copy.deepcopy(world.object("VirtualRouter", "customer"))
    router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"].pop()
    world.tell(router)
    world.take_away("VirtualNode", "customer-v15")
    assert {} == instances(world, "customer-v15-vn")


@pytest.mark.parametrize("address", ["999.0.0.1", "::1", "host.example", "", "10.0.0.1/8", 7, None])
def test_what_is_not_an_address_is_nobody_s(address: Any, world: World) -> None:
    """One endpoint that no API server would let through does not reach the callers' Envoys, and hides no other."""
    bad, good = endpoint("10.0.0.1", "p1"), endpoint("10.0.0.2", "p2")
    bad["addresses"] = [address]
    world.tell(service("product"), pod("p1", "product", "1.0"), pod("p2", "product", "1.0"))
    world.tell(slices("product", good))
    world.tell(slices("product", bad, good))

    assert ["10.0.0.2"] == addresses(world)


@pytest.mark.parametrize("port", [0, -1, 65536, 10**30])
def test_a_port_beyond_the_range_is_not_the_service_s(port: Any, world: World) -> None:
    """The listener's own is used then."""
    found = slices("product", endpoint("10.0.0.1", "p1"))
    found["ports"][0]["port"] = port
    world.tell(service("product"), pod("p1", "product", "1.0"), found)

    assert [{"5000": 5000}] == [one["ports"] for one in instances(world).values()]
