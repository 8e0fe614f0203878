"""Which node a pod belongs to: podSelector, namespace, mesh."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.selection import CachedSelectors, Selectors

EVERYTHING: Any = {}


def mesh(name: str = "shopmesh", selector: Any = EVERYTHING, **spec: Any) -> tuple[ObjectName, Any]:
    found = {"kind": "Mesh", "metadata": {"name": name}, "spec": {"namespaceSelector": selector, **spec}}
    return ObjectName("Mesh", "", name), found


def node(
    name: str, labels: Any, kind: str = "VirtualNode", namespace: str = "default", **spec: Any
) -> tuple[ObjectName, Any]:
    selector = {} if labels is None else {"podSelector": {"matchLabels": labels}}
    found = {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": {**selector, **spec}}
    return ObjectName(kind, namespace, name), found


def test_a_pod_is_the_one_node_whose_selector_takes_its_labels() -> None:
    """Labels that the selector does not name do not count; the node's and the mesh's API names do."""
    objects = dict([mesh("m", awsName="shopmesh"), node("product", {"app": "product"}, awsName="product-vn")])

    assert Key("virtualNode", ("shopmesh", "product-vn")) == Selectors(objects, {}).select("default", LABELS).key


LABELS = {"app": "product", "version": "1.0", "part-of": "shop"}


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        ([node("product", LABELS)], "virtualNode/product_default"),
        ([node("way-in", LABELS, "VirtualGateway")], "virtualGateway/way-in_default"),
        ([node("product", {})], "virtualNode/product_default"),
        ([node("product", None)], None),
        ([node("product", {"app": "order"})], None),
        ([node("product", {**LABELS, "more": "x"})], None),
        ([node("product", LABELS, namespace="other")], None),
        ([node("product", LABELS), node("product-v2", {"app": "product"})], None),
        ([node("product", LABELS), node("product", LABELS, "VirtualGateway")], None),
        ([node("product", LABELS), node("product-v2", {**LABELS, "version": "2.0"})], "virtualNode/product_default"),
        ([node("product", LABELS, meshRef={"name": "shopmesh"})], "virtualNode/product_default"),
        ([node("product", LABELS, meshRef={"name": "gone"})], None),
    ],
)
def test_which_node_it_is(objects: Any, found: str | None) -> None:
    """None, two, another namespace's: each is told apart; an absent selector takes nothing, an empty one everything."""
    key = Selectors(dict([mesh(), *objects]), {}).select("default", LABELS).key

    assert found == (key and f"{key.kind}/{key.path[1]}")


@pytest.mark.parametrize(
    ("meshes", "found"),
    [
        ([mesh("a", {"matchLabels": {"mesh": "a"}}), mesh("b", {"matchLabels": {"mesh": "b"}})], "b"),
        ([mesh("a", None)], None),
        ([mesh("a"), mesh("b")], None),
        ([], None),
    ],
)
def test_its_mesh_is_the_one_that_takes_the_namespace(meshes: Any, found: str | None) -> None:
    """By the namespace's labels, as everywhere else; an absent selector takes none, and of two neither is right."""
    selection = Selectors(dict([*meshes, node("product", LABELS)]), {"default": {"mesh": "b"}}).select(
        "default", LABELS
    )

    assert found == (selection.key.path[0] if selection.key else None)
    assert selection.selected_by == (ObjectName("VirtualNode", "default", "product"),)


def test_the_reason_names_the_objects() -> None:
    """Whoever reads it knows what to change."""
    objects = dict([mesh(), node("product", LABELS), node("way-in", {"app": "product"}, "VirtualGateway")])
    two = Selectors(objects, {}).select("default", LABELS).problem
    none = Selectors(objects, {}).select("other", LABELS).problem

    assert (
        "VirtualGateway way-in, VirtualNode product select it, but only one may; make their podSelectors differ" == two
    )
    assert "no VirtualNode or VirtualGateway in namespace other selects it" in none


def test_expressions_count_too() -> None:
    """A selector without matchLabels is asked as well."""
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["product"]}]}
    objects = dict([mesh(), node("product", None, podSelector=selector)])

    assert Selectors(objects, {}).select("default", LABELS).key is not None
    assert Selectors(objects, {}).select("default", {"app": "order"}).key is None


class Cluster:
    """What a cluster knows, as the store has it: changed in place."""

    def __init__(self) -> None:
        self.objects: dict[ObjectName, Any] = {}
        self.namespaces: dict[str, Any] = {}
        self.selectors_revision = 0


def test_what_changes_in_the_cluster_counts_at_once() -> None:
    """An object that comes, changes or goes, and a namespace's labels; a change of anything else makes nothing anew."""
    cluster, found = Cluster(), []
    current = CachedSelectors(cluster)
    for change in (
        lambda: cluster.objects.update([mesh(selector={"matchLabels": {"mesh": "s"}}), node("product", LABELS)]),
        lambda: cluster.namespaces.update(default={"mesh": "s"}),
        lambda: cluster.objects.update([node("product", {"app": "order"})]),
        lambda: cluster.objects.update([node("product", {"app": "product"})]),
        lambda: cluster.objects.pop(ObjectName("VirtualNode", "default", "product")),
    ):
        change()
        cluster.selectors_revision += 1
        found.append(current.get().select("default", LABELS).key is not None)
    before = current.get()
    cluster.objects[ObjectName("VirtualRouter", "default", "product")] = {}
    cluster.selectors_revision += 1

    assert [False, True, False, True, False] == found
    assert before is current.get()


def test_the_namespaces_of_a_mesh() -> None:
    """Those that a mesh takes, and those where something selects pods."""
    objects = dict([mesh(selector={"matchLabels": {"mesh": "s"}}), node("product", LABELS, namespace="elsewhere")])
    spaces = {"default": {"mesh": "s"}, "kube-system": {}, "elsewhere": {}}

    assert {"default", "elsewhere"} == Selectors(objects, spaces).mesh_namespaces()
