"""Pods that several objects select: found once, told of each of them, and gone when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.resource_types import PODS, VIRTUAL_NODES
from shopmesh.kubernetes.controller import status
from shopmesh.kubernetes.controller.object_cache import NamespacedName, ObjectCache, PodRecord
from shopmesh.kubernetes.controller.overlaps import Overlap, OverlapFinder, find_overlaps
from shopmesh.kubernetes.controller.selection import CachedSelectors, Selectors
from shopmesh.kubernetes.identity import findings
from shopmesh.kubernetes.identity.stamps import Stamp
from shopmesh.server.grpc.proxies import ProxyStatus

ONE, TWO = ObjectName("VirtualNode", "default", "one"), ObjectName("VirtualNode", "default", "two")
KEY = Key("virtualNode", ("shopmesh", "one-vn"))


def node(name: str, revision: int, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(revision), "uid": name}
    return {"kind": "VirtualNode", "metadata": metadata, "spec": {"podSelector": {"matchLabels": labels}}}


def pod(name: str, revision: int, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(revision), "uid": name, "labels": labels}
    return {"kind": "Pod", "metadata": metadata}


@pytest.fixture
def cluster() -> ObjectCache:
    """Two nodes, of which the second takes version 2 alone, and pods of both versions."""
    made = ObjectCache()
    for found in (node("one", 1, app="shop"), node("two", 2, app="shop", version="2")):
        made.upsert(VIRTUAL_NODES, found)
    for found in (pod("a", 3, app="shop", version="1"), pod("b", 4, app="shop", version="2"), pod("c", 5, app="x")):
        made.upsert(PODS, found)
    return made


def test_each_object_is_told_who_selects_its_pods_as_well(cluster: ObjectCache) -> None:
    """By name, with the first of the pods."""
    seen = OverlapFinder(cluster, CachedSelectors(cluster))
    before = seen.find()
    cluster.upsert(PODS, pod("aa", 6, app="shop", version="2"))
    after = seen.find()

    assert {
        ONE: Overlap(NamespacedName("default", "b"), (TWO,)),
        TWO: Overlap(NamespacedName("default", "b"), (ONE,)),
    } == before
    assert "pod default/aa is selected by VirtualNode two as well" == str(after[ONE])


def test_many_selectors_and_pods_cost_no_more_than_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all objects of a namespace are known to overlap, or so much was compared, the rest is not looked at."""
    looked = 0
    of = Selectors.select

    def counted(self: Selectors, namespace: str, labels: Any) -> Any:
        nonlocal looked
        looked += 1
        return of(self, namespace, labels)

    monkeypatch.setattr(Selectors, "select", counted)
    pods = {
        NamespacedName("default", f"p{number}"): PodRecord(str(number), {"app": "shop"}, None) for number in range(1000)
    }
    everything: Any = {"podSelector": {}}
    nobody: Any = {"podSelector": {"matchExpressions": [{"key": "no", "operator": "Exists"}]}}
    names = [ObjectName("VirtualNode", "default", f"n{number}") for number in range(1000)]

    found = find_overlaps(Selectors({name: {"spec": everything} for name in names}, {}), pods)
    assert (1000, 1) == (len(found), looked)
    assert {5} == {len(one.others) for one in found.values()}

    assert {} == find_overlaps(Selectors({name: {"spec": nobody} for name in names}, {}), pods)
    assert looked < 50


def test_what_does_not_concern_it_is_not_looked_for_again(cluster: ObjectCache) -> None:
    """A pod that changes otherwise than by its labels is no reason; one that goes, or a selector, is."""
    seen = OverlapFinder(cluster, CachedSelectors(cluster))
    before = seen.find()
    cluster.upsert(PODS, {**pod("b", 7, app="shop", version="2"), "status": {"phase": "Running"}})
    assert before is seen.find()

    cluster.upsert(VIRTUAL_NODES, node("one", 8, app="shop", version="1"))
    assert {} == seen.find()
    cluster.upsert(VIRTUAL_NODES, node("one", 9, app="shop"))
    assert {ONE, TWO} == {*seen.find()}
    cluster.delete(PODS, pod("b", 10))
    assert {} == seen.find()


def test_a_condition_says_it_while_it_lasts() -> None:
    """Beside whether the object is active, with what to do; when it is over the condition is False, not gone."""
    overlap = Overlap(NamespacedName("default", "b"), (TWO,))
    context = Context("123456789012", "us-east-1", 0.0, lambda: "uid")
    state = State([Resource(KEY, {}, "uid", 1, 0.0, 0.0)])
    found: dict[str, Any] = {"metadata": {"name": "one", "namespace": "default"}, "status": {"conditions": []}}

    def conditions(overlap: Overlap | None) -> list[tuple[str, str]]:
        wanted = status.desired_status(ONE, found, KEY, None, state, None, context, overlap)
        found["status"] = {**found["status"], **wanted}
        return [(one["type"], one["status"]) for one in wanted["conditions"]]

    active = ("VirtualNodeActive", "True")
    assert [active] == conditions(None)
    assert [active, ("PodSelectorConflict", "True")] == conditions(overlap)
    assert "is selected by VirtualNode two as well; make their podSelectors differ" in str(found["status"])
    assert [active, ("PodSelectorConflict", "False")] == conditions(None)


def proxy(instance: str, connected: bool = True) -> ProxyStatus:
    return ProxyStatus(
        *("shopmesh", "virtualNode", "one-vn", instance, None),
        connected=connected,
        since=1.0,
        known=True,
        declared=True,
        in_sync=True,
        types={},
        refused=None,
    )


class Declared:
    owners = {KEY: ONE}  # noqa: RUF012  # nobody changes it
    keys = {ONE: KEY}  # noqa: RUF012  # as above


def test_doctor_says_which_nodes_have_pods_without_a_stamp_and_which_pods_several_select() -> None:
    """Once a node, however many pods; one that has a stamp, is not connected or unknown is none of them."""
    records = {
        NamespacedName("default", name): PodRecord(name, {}, Stamp("x", "y") if name == "new" else None)
        for name in ("old-1", "old-2", "new", "away")
    }
    proxies = [proxy("old-2"), proxy("old-1"), proxy("new"), proxy("unknown"), proxy("away", connected=False)]
    overlap = {
        ONE: Overlap(NamespacedName("default", "b"), (TWO,)),
        TWO: Overlap(NamespacedName("default", "b"), (ONE,)),
    }
    found = [*findings.cluster_findings(proxies, Declared(), records, overlap, {})]

    assert [
        ("SM220", "shopmesh", "virtualNode shopmesh/one-vn"),
        ("SM221", "shopmesh", "virtualNode shopmesh/one-vn"),
        ("SM221", "", "VirtualNode default/two"),
    ] == [(one.code, one.mesh, one.where) for one in found]
    assert "2 of its pods have no stamp, such as default/old-1" == found[0].what


def test_the_stamp_that_a_pod_came_with_counts() -> None:
    """Whatever is written into it later; another pod of its name has its own."""
    label = "shopmesh.dev/virtual-node"
    made = ObjectCache()
    seen = []
    for revision, uid, labels in [(1, "a", {label: "one"}), (2, "a", {label: "two"}), (3, "b", {label: "two"})]:
        found = pod("x", revision, **labels)
        found["metadata"]["uid"] = uid
        made.upsert(PODS, found)
        seen.append(made.pods[NamespacedName("default", "x")].stamp)

    assert [Stamp(label, "one"), Stamp(label, "one"), Stamp(label, "two")] == seen
