"""Whatever happens in whatever order, a stream loses no request and ends in step."""

from __future__ import annotations

import os
from collections import deque

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shopmesh.xds.resources import TYPES, Collection, TypeName
from shopmesh.xds.snapshot import Snapshot, build_snapshot
from shopmesh.xds.stream.delta_stream import DeltaStream
from shopmesh.xds.stream.responses import ResponseCache
from shopmesh.xds.stream.subscription import MOST_IN_FLIGHT
from tests.unit.xds.envoys import Envoy, make_resource, snapshot_of

CLUSTERS = ("c0", "c1", "c2", "c3")
ROUTES = ("r0", "r1")
SECRETS = ("s0", "s1")


@strategies.composite
def snapshots(draw: strategies.DrawFn, bad_allowed: bool = True) -> Snapshot:
    """Any consistent snapshot over few names, so that names and versions come back often."""
    small = strategies.integers(0, 2)
    some_secrets = strategies.sets(strategies.sampled_from(SECRETS))

    def bad() -> bool:
        return bad_allowed and draw(strategies.integers(0, 9)) == 0

    clusters = draw(strategies.sets(strategies.sampled_from(CLUSTERS)))
    eds = draw(strategies.sets(strategies.sampled_from(CLUSTERS)))
    needs = strategies.sets(strategies.sampled_from(sorted(clusters))) if clusters else strategies.just(set[str]())
    routes = sorted(draw(strategies.sets(strategies.sampled_from(ROUTES))))
    of_users = {name: draw(some_secrets) for name in (*sorted(clusters), *routes)}
    secrets = sorted(set().union(*of_users.values()))
    warm_up_clusters = [make_resource("clusters", f"of {name}", secrets=[name], warm_up=True) for name in secrets]
    return snapshot_of(
        clusters=[
            make_resource("clusters", name, v=draw(small), eds=name in eds, bad=bad(), secrets=sorted(of_users[name]))
            for name in sorted(clusters)
        ]
        + warm_up_clusters,
        endpoints=[make_resource("endpoints", name, v=draw(small)) for name in sorted(clusters & eds)],
        secrets=[make_resource("secrets", name, v=draw(small)) for name in secrets],
        listeners=[
            make_resource(
                "listeners",
                f"l{name}",
                draw(needs),
                v=draw(small),
                routes=[name],
                bad=bad(),
                secrets=sorted(of_users[name]),
            )
            for name in routes
        ],
        routes=[make_resource("routes", name, draw(needs), v=draw(small), bad=bad()) for name in routes],
    )


class Stream(RuleBasedStateMachine):
    """A server's delta stream and a model Envoy, with a queue each way whose messages may stay under way."""

    @initialize(accepts_partially=strategies.booleans())
    def begin(self, accepts_partially: bool) -> None:
        self.responses = ResponseCache()
        self.envoy = Envoy(accepts_partially)
        self.snapshot: Snapshot | None = None
        self.collections: dict[tuple[TypeName, str], Collection] = {}
        self.connect()

    @rule()
    def connect(self) -> None:
        """The stream breaks, and both ends begin anew; the proxy keeps what it has."""
        self.delta_stream = DeltaStream(self.responses)
        self.to_envoy: deque[bytes] = deque()
        self.to_server: deque[bytes] = deque()
        self.envoy.connect()
        if self.snapshot is not None:
            self.delta_stream.offer(self.snapshot)

    @rule(names=strategies.sets(strategies.sampled_from(SECRETS)))
    def lose_files(self, names: set[str]) -> None:
        """The files of these secrets are missing from now on, those of the others are there."""
        self.envoy.no_files = names

    @rule()
    def retry(self) -> None:
        self.delta_stream.retry()

    @rule(snapshot=snapshots())
    def change(self, snapshot: Snapshot) -> None:
        """As the translation does, what is equal to what it was is the same object."""
        same = {kind: self.collections.setdefault((kind, snapshot[kind].version), snapshot[kind]) for kind in TYPES}
        self.snapshot = build_snapshot(same)
        self.delta_stream.offer(self.snapshot)

    @rule()
    def serve(self) -> None:
        self.to_envoy.extend(self.delta_stream.take())

    @precondition(lambda self: self.to_envoy)
    @rule()
    def hear(self) -> None:
        self.envoy.receive(self.to_envoy.popleft())

    @rule()
    def next_request(self) -> None:
        request = self.envoy.next_request()
        if request is not None:
            self.delta_stream.receive(request)

    @invariant()
    def loses_nothing(self) -> None:
        assert self.envoy.problems == []

    @invariant()
    def in_sync_has_all(self) -> None:
        """Asked after every step, whatever the stream remembers of its answers."""
        if self.snapshot is not None and self.delta_stream.in_sync:
            for kind in ("clusters", "listeners"):
                if self.delta_stream.subscriptions[kind].requested:
                    assert self.envoy.versions[kind] == dict(self.snapshot[kind].versions)

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.to_envoy) <= len(TYPES) * MOST_IN_FLIGHT

    @rule(snapshot=snapshots(bad_allowed=False))
    def ends_in_step(self, snapshot: Snapshot) -> None:
        """A last, good snapshot: once all that is under way has arrived, the proxy has exactly that."""
        self.envoy.no_files = set()
        self.change(snapshot)
        for _ in range(500):
            self.delta_stream.retry()
            self.serve()
            if self.to_envoy:
                self.hear()
            elif (request := self.envoy.next_request()) is not None:
                self.delta_stream.receive(request)
            else:
                break

        assert not self.to_envoy
        assert self.envoy.warming == set()
        assert dict(snapshot["clusters"].versions) == self.envoy.versions["clusters"]
        assert dict(snapshot["listeners"].versions) == self.envoy.versions["listeners"]
        assert dict(snapshot["routes"].versions) == self.envoy.versions["routes"]
        assert dict(snapshot["endpoints"].versions) == self.envoy.versions["endpoints"]
        assert dict(snapshot["secrets"].versions) == self.envoy.versions["secrets"]
        assert set(snapshot["secrets"].versions) == set(self.envoy.loaded)
        assert self.delta_stream.in_sync


Stream.TestCase.settings = settings(
    max_examples=int(os.environ.get("SHOPMESH_EXAMPLES", "80")), stateful_step_count=30, deadline=None
)
TestStream = Stream.TestCase
