"""Computing in parts: what comes out is what comes out at once, whatever the parts are."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from shopmesh.appmesh.store import State
from shopmesh.xds.incremental import ComputationId, DependencyGraph, _Computation
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.bench.xds.meshes import fan_out, new_weight
from tests.unit.xds import meshes

CALLER = ProxyNode(mesh="shop", name="client", instance="i").snapshot_key


def in_parts(graph: DependencyGraph, is_over: Callable[[], bool]) -> tuple[Snapshot, int]:
    parts = 1
    while not graph.compute_part(is_over, snapshot, CALLER):
        parts += 1
    found = graph.compute_root(snapshot, CALLER)
    assert found is not None
    return found, parts


@pytest.mark.parametrize("length", [1, 2, 7, 50])
def test_parts_of_any_length_give_what_one_gives(length: int) -> None:
    """At first and after a change; a part of no time still completes something."""
    state = State(fan_out(20, 2))
    graph, counted = DependencyGraph(state), itertools.count(1)

    def is_over() -> bool:
        return next(counted) % length == 0

    first, parts = in_parts(graph, is_over)
    assert first == DependencyGraph(state).compute_root(snapshot, CALLER)
    assert parts > 1

    graph.mark_changed(meshes.changed(state, new_weight(3, 50), meshes.mesh(egress="ALLOW_ALL")))
    second, _ = in_parts(graph, is_over)
    assert second == DependencyGraph(state).compute_root(snapshot, CALLER) != first


def test_each_part_completes_something_and_does_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of no time at all: each computation that was completed stays so."""
    completed: list[ComputationId] = []
    build = DependencyGraph._build

    def recording(graph: DependencyGraph, computation: _Computation) -> None:
        build(graph, computation)
        completed.append(computation.id)

    monkeypatch.setattr(DependencyGraph, "_build", recording)
    graph = DependencyGraph(State(fan_out(20)))
    _, parts = in_parts(graph, lambda: True)

    assert len(set(completed)) == len(completed) == len(graph)
    assert parts <= len(graph)


def test_what_was_begun_for_a_root_that_is_gone_is_forgotten() -> None:
    """A proxy may leave while its configuration is computed, and others go on."""
    state = State(fan_out(20))
    graph = DependencyGraph(state)
    other = ProxyNode(mesh="shop", name="service-1", instance="i").snapshot_key
    graph.compute_root(snapshot, other)
    size = len(graph)
    for _ in range(30):
        assert not graph.compute_part(lambda: True, snapshot, CALLER)
    assert len(graph) > size

    graph.release(snapshot, CALLER)

    assert len(graph) == size
    assert in_parts(graph, lambda: True)[0] == DependencyGraph(state).compute_root(snapshot, CALLER)
