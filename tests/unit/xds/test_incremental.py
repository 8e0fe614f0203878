"""The cost of a change follows what it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

import pytest

from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.xds.incremental import ComputationId, DependencyGraph, TrackingView, _Computation
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.snapshot import Snapshot, snapshot
from shopmesh.xds.translate.clusters import clusters
from shopmesh.xds.translate.http import joined_services
from shopmesh.xds.translate.http import virtual_hosts as services
from tests.unit.xds import meshes

CALLER = ProxyNode(mesh="shop", name="order", instance="i").snapshot_key


def large(services: int, routes: int) -> State:
    names = [f"s{number}" for number in range(services)]
    found = [meshes.mesh(), meshes.node("order", backends=[f"{name}.local" for name in names])]
    for name in names:
        found += [meshes.node(name), meshes.router(name), meshes.service(f"{name}.local", router=name)]
        found += [meshes.route(name, f"r{number}", {name: 100}) for number in range(routes)]
    return State(found)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the expensive steps of the translation ran."""
    counted: Counter[str] = Counter()

    def count(owner: object, name: str) -> None:
        original: Callable[..., object] = getattr(owner, name)

        def counting(*arguments: object) -> object:
            counted[name] += 1
            return original(*arguments)

        monkeypatch.setattr(owner, name, counting)

    count(services, "_by_router")
    count(clusters, "_cluster")
    count(joined_services, "_drop_shared_domains")
    return counted


def current(graph: DependencyGraph) -> Snapshot:
    found = graph.compute_root(snapshot, CALLER)
    assert found is not None
    return found


def test_one_route_of_thousands_costs_one_virtual_host(built: Counter[str]) -> None:
    """Of 1,000 services with 5,000 routes one is translated again, no cluster is, and only the routes differ."""
    state = large(1000, 5)
    graph = DependencyGraph(state)
    before = current(graph)
    built.clear()

    graph.mark_changed(meshes.changed(state, meshes.route("s7", "r3", {"s7": 50, "s8": 50})))
    after = current(graph)

    assert built == {"_by_router": 1, "_drop_shared_domains": 1}
    assert after.version != before.version
    assert all(after[kind] is before[kind] for kind in ("clusters", "endpoints", "listeners"))


@pytest.mark.parametrize("services", [10, 1000])
def test_one_route_rebuilds_as_many_parts_in_a_mesh_of_any_size(services: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts that are built anew for a change of one route are the same few, however many services there are."""
    state = large(services, 5)
    graph = DependencyGraph(state)
    current(graph)
    anew: list[str] = []
    original = DependencyGraph._build

    def counting(self: DependencyGraph, part: _Computation) -> None:
        anew.append(part.id.build.__name__)
        original(self, part)

    monkeypatch.setattr(DependencyGraph, "_build", counting)
    graph.mark_changed(meshes.changed(state, meshes.route("s7", "r3", {"s7": 50, "s8": 50})))
    current(graph)

    assert len(anew) == len(set(anew))
    assert set(anew) == {"service_routing", "_group", "egress", "outbound", "_routes", "apply_patches", "snapshot"}


def test_what_is_looked_at_for_one_route_grows_by_the_root_of_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """One group of services and one value of each other group, where each service used to be looked at."""
    state = large(1000, 1)
    graph = DependencyGraph(state)
    current(graph)
    looked_at: list[ComputationId] = []
    original = TrackingView.compute

    def counting(self: TrackingView, build: Callable[..., object], *arguments: Hashable) -> object:
        looked_at.append(ComputationId(build, arguments))
        return original(self, build, *arguments)

    monkeypatch.setattr(TrackingView, "compute", counting)
    graph.mark_changed(meshes.changed(state, meshes.route("s7", "r0", {"s7": 50, "s8": 50})))
    current(graph)

    assert 2 * joined_services.GROUP < len(looked_at) < 3 * joined_services.GROUP


def test_what_nobody_reads_rebuilds_nothing(built: Counter[str]) -> None:
    """A change that no snapshot depends on names no root."""
    state = State([*meshes.shop(), meshes.router("lonely")])
    graph = DependencyGraph(state)
    before = current(graph)
    built.clear()

    assert graph.mark_changed(meshes.changed(state, meshes.route("lonely", "r", {"product": 1}))) == []
    assert current(graph) is before
    assert built == {}


def test_a_change_that_comes_to_the_same_keeps_the_snapshot() -> None:
    """Only proxies whose snapshot changed are sent anything: equal content is the same object."""
    state = State(meshes.shop())
    graph = DependencyGraph(state)
    before = current(graph)

    assert graph.mark_changed(meshes.changed(state, meshes.node("product", tagged="anew"))) != []
    assert current(graph) is before


@pytest.mark.parametrize(
    "after",
    [
        meshes.mesh(egress="ALLOW_ALL"),
        meshes.node("order"),
        meshes.node("product", [meshes.listener(6000)]),
        meshes.router("product-r", meshes.listener(7000)),
        meshes.route("product-r", "all", {"product": 1}),
        meshes.route("product-r", "new", {"product": 1}),
        meshes.service("product.local", node="product"),
        meshes.instance("product", "i", "127.0.0.1"),
    ],
    ids=lambda one: one.key.kind,
)
def test_every_kind_of_change_is_followed(after: Resource) -> None:
    """What a memo says after a change is what a fresh translation says, and it says something else than before."""
    state = State(meshes.shop())
    graph = DependencyGraph(state)
    before = current(graph)

    graph.mark_changed(meshes.changed(state, after))

    assert current(graph).version == current(DependencyGraph(state)).version
    assert current(graph).version != before.version


@pytest.mark.parametrize("kind", ["route", "virtualService", "virtualRouter", "virtualNode"])
def test_every_kind_of_deletion_is_followed(kind: str) -> None:
    """The same for what goes."""
    state = State(meshes.shop())
    graph = DependencyGraph(state)
    current(graph)
    gone = next(one.key for one in meshes.shop() if one.key.kind == kind and one.key.name != "order")

    graph.mark_changed(meshes.deleted(state, gone))

    assert current(graph).version == current(DependencyGraph(state)).version


def test_clusters_are_needed_as_long_as_routes_name_them() -> None:
    """A route that leads nowhere names none: what its targets become is no matter for the table of routes."""
    state = State([*meshes.shop({"product": 0}), meshes.route("product-r", "tcp", {"product": 1}, kind="tcpRoute")])
    graph = DependencyGraph(state)
    current(graph)

    graph.mark_changed(meshes.changed(state, meshes.node("product", [meshes.listener(6000)])))
    assert current(graph).version == current(DependencyGraph(state)).version
    graph.mark_changed(meshes.changed(state, meshes.node("product", [meshes.listener(7000, "tcp")])))
    assert current(graph).version == current(DependencyGraph(state)).version


def test_a_tcp_weight_costs_its_own_service_and_the_listeners(built: Counter[str]) -> None:
    """Of a hundred services one is translated again, and no cluster is."""
    state = large(100, 1)
    more = [
        meshes.router("s7", meshes.listener(), meshes.listener(6000, "tcp")),
        meshes.node("s7", [meshes.listener(), meshes.listener(6000, "tcp")]),
        meshes.node("s8", [meshes.listener(6000, "tcp")]),
        meshes.route("s7", "tcp", {"s7": 1, "s8": 0}, kind="tcpRoute"),
    ]
    meshes.changed(state, *more)
    graph = DependencyGraph(state)
    before = current(graph)
    built.clear()

    graph.mark_changed(meshes.changed(state, meshes.route("s7", "tcp", {"s7": 1, "s8": 1}, kind="tcpRoute")))
    after = current(graph)

    assert built == {"_by_router": 1, "_drop_shared_domains": 1}
    assert after["listeners"] != before["listeners"]
    assert all(after[kind] is before[kind] for kind in ("clusters", "endpoints", "routes"))


def test_a_failed_part_is_built_again_once_what_it_read_changes() -> None:
    """An exception is no reason to forget what a part depends on."""
    key = Key("mesh", ("shop",))

    def part(reader: TrackingView) -> str:
        found = reader.get(key)
        assert found is not None
        return str(found.spec["egressFilter"]["type"])

    state = State()
    graph = DependencyGraph(state)
    with pytest.raises(AssertionError):
        graph.compute_root(part)

    assert len(graph.mark_changed(meshes.changed(state, meshes.mesh()))) == 1
    assert graph.compute_root(part) == "DROP_ALL"


def test_released_roots_leave_nothing_behind() -> None:
    """Parts that no snapshot uses any more are forgotten, so proxies that come and go cost no memory."""
    state = State(meshes.shop())
    graph = DependencyGraph(state)
    current(graph)
    other = ProxyNode(mesh="shop", name="product", instance="i").snapshot_key
    graph.compute_root(snapshot, other)

    graph.release(snapshot, CALLER)
    graph.mark_changed(meshes.changed(state, meshes.route("product-r", "all", {"product": 1})))
    graph.release(snapshot, other)

    assert len(graph) == 0
