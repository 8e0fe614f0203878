"""Which of a node's instances its callers are given, and what is said where that is not as written."""

from __future__ import annotations

import pytest

from shopmesh.appmesh.store import Document, Resource
from shopmesh.xds.instances import instance_spec
from tests.support.translated import message, proxy, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import instance, node, shop

CLUSTER = "cds_egress_shop_product_http_5000"


def found(cloud_map: Document, *instances: Resource, of_mesh: Document | None = None) -> tuple[list[str], list[str]]:
    """The addresses that callers of product have, and what is told as limited."""
    names = {"namespaceName": "shop.local", "serviceName": "product", **cloud_map}
    product = node("product", serviceDiscovery={"awsCloudMap": names})
    given = translated([*shop(), meshes.mesh(serviceDiscovery=of_mesh or {}), product, *instances])
    localities = message(given, "endpoints", CLUSTER).endpoints
    addresses = [one.endpoint.address.socket_address.address for each in localities for one in each.lb_endpoints]
    return addresses, [one.what for one in given.findings]


BLUE = {"attributes": [{"key": "stage", "value": "blue"}, {"key": "team", "value": "shop"}]}


def test_cloud_map_finds_the_instances_that_have_all_attributes() -> None:
    """4: more of them do no harm."""
    both, more = {"stage": "blue", "team": "shop"}, {"stage": "blue", "team": "shop", "az": "1"}
    instances = [
        instance("product", "a", "10.0.0.1", attributes=both),
        instance("product", "b", "10.0.0.2", attributes={"stage": "blue"}),
        instance("product", "c", "10.0.0.3", attributes={**both, "stage": "green"}),
        instance("product", "d", "10.0.0.4", attributes=more),
    ]

    assert (["10.0.0.1", "10.0.0.4"], []) == found(BLUE, *instances)
    assert ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"] == found({}, *instances)[0]


def test_an_instance_that_declares_no_attributes_is_taken_and_told() -> None:
    """4: it named its virtual node itself."""
    addresses, told = found(BLUE, instance("product", "a", "10.0.0.1"))

    assert ["10.0.0.1"] == addresses
    assert ["asks Cloud Map for instances with stage=blue, team=shop, and a declares no attributes"] == told


def test_that_no_instance_fits_is_told() -> None:
    """4: with what there is."""
    addresses, told = found(BLUE, instance("product", "a", "10.0.0.1", attributes={}))

    assert [] == addresses
    assert ["requires IPv4_PREFERRED and stage=blue, team=shop, which none of its instances has: 10.0.0.1"] == told


@pytest.mark.parametrize(
    ("own", "of_mesh", "expected"),
    [
        ({}, {}, ["10.0.0.1", "fd00::1"]),
        ({"ipPreference": "IPv6_ONLY"}, {}, ["fd00::1"]),
        ({"ipPreference": "IPv4_ONLY"}, {"ipPreference": "IPv6_ONLY"}, ["10.0.0.1"]),
        ({}, {"ipPreference": "IPv6_ONLY"}, ["fd00::1"]),
        ({"ipPreference": "IPv6_PREFERRED"}, {"ipPreference": "IPv4_ONLY"}, ["10.0.0.1", "fd00::1"]),
    ],
)
def test_the_ip_preference_chooses_among_instances(own: Document, of_mesh: Document, expected: list[str]) -> None:
    """6: the node's before the mesh's; each instance has one address, so a preference leaves none out."""
    both = [instance("product", "a", "10.0.0.1"), instance("product", "b", "fd00::1")]

    assert (expected, []) == found(own, *both, of_mesh=of_mesh)


def test_a_proxy_declares_its_attributes() -> None:
    """4: as its bootstrap has them; without them nothing is said, which is not the same as none."""
    assert {"stage": "blue"} == (instance_spec(proxy(attributes=(("stage", "blue"),))) or {})["attributes"]
    assert "attributes" not in (instance_spec(proxy()) or {})
