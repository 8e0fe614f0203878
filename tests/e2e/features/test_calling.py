"""Who may call whom, and which of several instances answers."""

from __future__ import annotations

import pytest

from shopmesh.appmesh.store import Resource
from tests.e2e.xds.running import Mesh, Upstream, upstreams
from tests.unit.xds.meshes import mesh as mesh_of
from tests.unit.xds.meshes import node, service


def caller(*backends: str) -> Resource:
    """A virtual node that nobody can find: without listeners and without discovery."""
    return node("order", [], backends, serviceDiscovery={})


@pytest.mark.feature(5)
@pytest.mark.feature(21, better="a backend that is taken away or given is known at once")
def test_a_node_without_discovery_calls_its_backends_and_nothing_else(mesh: Mesh, upstream: Upstream) -> None:
    """What is no backend of it is answered 404, and its proxy is not even told where that is."""
    others = [node("product"), service("product.local", node="product"), service("secret.local", node="product")]
    mesh.put(mesh_of(), caller("product.local"), *others)
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order", ports=())
    mesh.converge(mesh.store.revision)

    assert (200, upstream.name) == order.get("http://product.local:5000/")
    assert 404 == order.get("http://secret.local:5000/")[0]

    mesh.converge(mesh.put(caller("secret.local")))

    assert 404 == order.get("http://product.local:5000/")[0]
    assert 200 == order.get("http://secret.local:5000/")[0]

    mesh.converge(mesh.put(caller()))

    assert not any("_product_" in name for name in order.cluster_names())


@pytest.mark.feature(28)
def test_instances_take_turns(mesh: Mesh) -> None:
    """Each of three gets every third request."""
    mesh.put(mesh_of(), caller("product.local"), node("product"), service("product.local", node="product"))
    with upstreams("a", "b", "c") as running:
        for number, one in enumerate(running):
            mesh.sidecar("product", one, instance=f"product-{number}")
        order = mesh.sidecar("order", ports=())
        mesh.converge(mesh.store.revision)
        answers = [order.get("http://product.local:5000/")[1] for _ in range(12)]

    assert {"a": 4, "b": 4, "c": 4} == {name: answers.count(name) for name in "abc"}
