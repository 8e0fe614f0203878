"""What incremental xDS sends and costs beside the state of the world, from the same snapshots.

python -m tests.bench.xds.delta [--clusters 10 100 1000] [--rounds 50]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Mapping

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse

from shopmesh.appmesh.store import State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.resources import TYPE_URLS, TYPES, Collection, XdsResource
from shopmesh.xds.snapshot import Snapshot, snapshot
from shopmesh.xds.stream.responses import ResponseCache
from tests.bench.xds.meshes import fan_out, new_weight
from tests.unit.xds import meshes

SNAPSHOT_KEY = ProxyNode(mesh="shop", name="client", instance="client-1").snapshot_key
Encode = Callable[[Snapshot, Snapshot | None], list[bytes]]


def whole(after: Snapshot, before: Snapshot | None) -> list[bytes]:
    """State of the world: each type that changed (all of them on a new stream), all of its resources."""
    return [
        _whole(after[kind])
        for kind in TYPES
        if before is None or before[kind].version != after[kind].version or _follows(kind, before, after)
    ]


def incremental(after: Snapshot, before: Snapshot | None) -> list[bytes]:
    """Incremental: what is new or changed; a proxy that returns says what it has, so nothing where it has all."""
    responses, sent = ResponseCache(), []
    for kind in TYPES:
        step = after[kind].diff_from(before[kind].versions if before is not None else {})
        if step.changed or step.removed:
            made = responses.make(TYPE_URLS[kind], after[kind].version, step.changed, step.removed)
            sent.append(made.data)
    return sent


def returning(after: Snapshot, _: Snapshot | None) -> list[bytes]:
    return incremental(after, after)


def _follows(kind: str, before: Snapshot, after: Snapshot) -> bool:
    return kind == "endpoints" and before["clusters"].version != after["clusters"].version


def _whole(collection: Collection) -> bytes:
    head: bytes = DiscoveryResponse(
        version_info=collection.version, type_url=TYPE_URLS[collection.kind], nonce="1"
    ).SerializeToString()
    return b"".join((head, *map(_framed, collection.resources.values())))


@functools.cache
def _framed(one: XdsResource) -> bytes:
    """As the state of the world carries it, serialised once as well."""
    bare = DeltaDiscoveryResponse.FromString(one.encoded).resources[0].resource
    framed: bytes = DiscoveryResponse(resources=[bare]).SerializeToString()
    return framed


def changes(clusters: int) -> Mapping[str, tuple[Snapshot, Snapshot | None]]:
    """Snapshots after and before: another weight, one more cluster; before is None on a reconnect."""
    state = State(fan_out(clusters))
    graph = DependencyGraph(state)

    def current() -> Snapshot:
        found = graph.compute_root(snapshot, SNAPSHOT_KEY)
        assert found is not None
        return found

    start = current()
    graph.mark_changed(meshes.changed(state, new_weight(0, 50)))
    weight = current()
    more = fan_out(clusters + 1)
    graph.mark_changed(meshes.changed(state, more[1], *more[-5:]))
    return {"weight change": (weight, start), "cluster addition": (current(), weight), "reconnect": (start, None)}


def measure(encode: Encode, after: Snapshot, before: Snapshot | None, rounds: int) -> tuple[int, float, float]:
    """Bytes, and the median and the largest of the milliseconds of CPU that the encoding took."""
    encode(after, before)
    took = []
    for _ in range(rounds):
        fresh = Snapshot(after.version, {kind: _again(after[kind]) for kind in TYPES})
        begin = time.process_time()
        sent = encode(fresh, before)
        took.append((time.process_time() - begin) * 1000)
    return sum(map(len, sent)), statistics.median(took), max(took)


def _again(collection: Collection) -> Collection:
    """The same without what it remembers of earlier steps."""
    return Collection(collection.kind, collection.resources.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    print(f"{'clusters':>8}  {'change':<17}{'protocol':<20}{'bytes':>9}{'CPU ms':>9}{'max ms':>9}")
    for clusters in arguments.clusters:
        for name, (after, before) in changes(clusters).items():
            ways: tuple[tuple[str, Encode], ...] = (
                ("state of the world", whole),
                ("incremental", returning if before is None else incremental),
            )
            for protocol, encode in ways:
                size, median, most = measure(encode, after, before, arguments.rounds)
                print(f"{clusters:>8}  {name:<17}{protocol:<20}{size:>9}{median:>9.3f}{most:>9.3f}")


if __name__ == "__main__":
    main()
