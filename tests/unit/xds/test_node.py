"""The node of a proxy is read strictly."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.core.v3.base_pb2 import Node

from shopmesh.xds.node import NodeError, ProxyNode, parse
from tests.support.bootstraps import EXPLICIT


def node(identity: str = "mesh/shop/virtualNode/product-vn", **metadata: Any) -> Node:
    made = Node(id=identity, cluster="product")
    made.metadata.update(metadata)
    return made


@pytest.mark.parametrize(
    "proxy",
    [
        EXPLICIT,
        ProxyNode(mesh="shop", name="a", instance="a-1", cluster="a", address="fd00::1"),
        ProxyNode(mesh="shop", name="a", instance="a-1", cluster="a", readiness=((5000, "/readyz"), (6000, ""))),
    ],
)
def test_what_the_bootstrap_writes_is_read_back(proxy: ProxyNode) -> None:
    """`to_document` and `parse` are each other's inverse."""
    document = proxy.to_document()
    made = Node(id=document["id"], cluster=document["cluster"])
    made.metadata.update(document["metadata"])

    assert parse(made) == proxy


def test_an_arn_names_a_node_as_well() -> None:
    """App Mesh's own Envoy image sends it."""
    found = parse(node("arn:aws:appmesh:us-west-2:1:mesh/shop/virtualNode/product-vn"))

    assert (found.mesh, found.name, found.instance, found.mode) == ("shop", "product-vn", "product-vn", "intercepted")


@pytest.mark.parametrize("account", ["123456789012", "999999999999"])
def test_the_owner_of_a_shared_mesh_is_not_part_of_its_name(account: str) -> None:
    """AWS's injector writes it whenever a Mesh has a meshOwner; anything else after an @ belongs to the name."""
    assert "shop" == parse(node(f"mesh/shop@{account}/virtualNode/product-vn")).mesh
    assert "shop@prod" == parse(node("mesh/shop@prod/virtualNode/product-vn")).mesh


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (node(""), "node.id"),
        (node("mesh/shop/virtualRouter/r"), "node.id"),
        (node("mesh/shop/virtualNode/a/b"), "node.id"),
        (node("mesh/shop/virtualNode/" + "a" * 300), "node.id"),
        (node(mode="magic"), "mode"),
        (node(mode="explicit"), "egress_port"),
        (node(address="product.local"), "address"),
        (node(instance=5), "instance"),
        (node(readiness="/readyz"), "readiness"),
        (node(readiness={"5000": "readyz"}), "readiness"),
        (node(readiness={"0": "/readyz"}), "readiness"),
        (node(readiness={str(port): "" for port in range(1, 10)}), "readiness"),
        (node(instance="a/b"), "instance"),
        (node(instance="a\nb"), "instance"),
        (node(ports=[1]), "ports"),
        (node(ports={"5000": 0}), "ports"),
        (node(ports={"5000": 70000}), "ports"),
        (node(ports={"5000": 1.5}), "ports"),
        (node(ports={"http": 5000}), "ports"),
        (node(ports={"5000": None}), "ports"),
        (node(ports={f"5000.{'0' * number}": 1 for number in range(1001)}), "ports has 1001 entries"),
        (node(egress_ports={f"db{number}.local:1": 1 for number in range(1001)}), "egress_ports has 1001 entries"),
        (node(egress_port="x"), "egress_port"),
        (node(attributes=[1]), "attributes"),
        (node(attributes={"stage": 1}), "attributes"),
        (node(attributes={"stage": "b" * 2000}), "attributes"),
        (node(egress_ports=[1]), "egress_ports"),
        (node(egress_ports={"db.local": 1}), "egress_ports"),
        (node(egress_ports={":1": 1}), "egress_ports"),
        (node(egress_ports={"db.local:0": 1}), "egress_ports"),
        (node(egress_ports={"db.local:1": "x"}), "egress_ports"),
        (node(egress_ports={"db.local:1": 5, "db.local:2": 5}), "egress_ports"),
    ],
    ids=lambda value: value if isinstance(value, str) else "node",
)
def test_a_wrong_field_is_named(wrong: Node, named: str) -> None:
    """The message says which field, and stays short whatever came."""
    with pytest.raises(NodeError, match=named) as refused:
        parse(wrong)

    assert len(str(refused.value)) < 400
