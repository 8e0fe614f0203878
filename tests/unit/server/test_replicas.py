"""What replicas tell each other, and how it becomes one answer."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.catalogue.translation import MISSING_NODE
from shopmesh.appmesh.store import Key
from shopmesh.server.grpc.answer_log import LoggedAnswer
from shopmesh.server.grpc.proxies import Nack, Proxies, ProxyStatus, TypeStatus
from shopmesh.server.replicas import (
    ChangeStatus,
    Handover,
    LocalReplica,
    Peer,
    PeerError,
    Replicas,
    ReplicaState,
    StateQuery,
)
from shopmesh.server.replicas.merge import change_of_revision, merge_states
from shopmesh.server.replicas.peer_protocol import MalformedError, ProxyAnswers
from shopmesh.server.store.author import Author
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.traffic.figures import Caller, Counters, Figures, ReportCursor, UpstreamSample
from shopmesh.server.traffic.history import HistoryQuery, Point
from shopmesh.xds.node import Identity

ORDER = Caller("shop", "virtualNode", "order")


def proxy(number: int, connected: bool = True, since: float = 1.0, **other: Any) -> ProxyStatus:
    well: dict[str, Any] = {
        "address": None,
        "known": True,
        "declared": False,
        "in_sync": True,
        "types": {"clusters": TypeStatus("a", "a")},
        "refused": None,
    }
    return ProxyStatus(*ORDER, f"order-{number}", connected=connected, since=since, **{**well, **other})


def change(after: int, revision: int, converged: bool = True, **proxies: float | None) -> ChangeStatus:
    return ChangeStatus(after, revision, 5.0, (f"mesh m{revision}",), proxies, converged)


def test_what_is_told_arrives_as_it_was() -> None:
    """Through JSON, which has no infinity, and as a question does."""
    told = ReplicaState(
        id="one",
        revision=7,
        proxies=(proxy(1), proxy(2, refused=Nack("routes", "no", 2.0), also_refused=(Nack("listeners", "no", 3.0),))),
        findings=(MISSING_NODE.at(Key("route", ("m", "r", "x")), "sends to nowhere"),),
        certificate_days={(ORDER, "order-1"): 3},
        counted=(((ORDER, "x", Counters(3, 1, 0, {5.0: 2, math.inf: 1})),),),
        changes=(change(5, 7, a=1.5, b=None),),
        forgotten=5,
        converged=False,
        reports={(ORDER, "order-1"): ReportCursor(2.5, {"x": UpstreamSample(3, 1, 0, {})})},
        answers=ProxyAnswers("one", 1.5, (LoggedAnswer(2.0, "routes", "v", "no", 1.5),)),
        history={"x": {3: Point(1.5, 0.5, {5.0: 1.0, math.inf: 0.5})}},
    )
    question = StateQuery(
        True,
        (1.25,),
        changes=0,
        converged=3,
        wait=2.0,
        reports=((ORDER, "order-1"),),
        proxy=Identity(*ORDER, "order-1"),
        history=HistoryQuery("shop", ("x", "y"), 100.0, 1.0, 60),
    )

    assert told == ReplicaState.from_document(json.loads(json.dumps(told.to_document(), allow_nan=False)))
    assert question == StateQuery.from_document(json.loads(json.dumps(question.to_document())))


@pytest.mark.parametrize(
    "document",
    [
        {"reports": ["x"]},
        {"spans": 1},
        {"spans": ["x"]},
        {"changes": True},
        {"wait": -1},
        {"proxy": ["shop", "virtualNode", "order"]},
        {"proxy": 1},
        {"history": ["shop", [1], 0.0, 1.0, 10]},
        {"history": ["shop", [], 0.0, 0.0, 10]},
        {"history": ["shop", [], -1.0, 1.0, 10]},
        {"history": ["shop", [], 0.0, 1.0, 601]},
        {"history": ["shop", ["x"] * 201, 0.0, 1.0, 10]},
        {"history": ["shop", [], 0.0, 1.0]},
        {"spans": [0] * 1001},
    ],
)
def test_a_question_that_is_none_is_refused(document: dict[str, Any]) -> None:
    """Bounded as everything that comes in."""
    with pytest.raises(MalformedError):
        StateQuery.from_document(document)


def test_replicas_of_other_versions_understand_each_other() -> None:
    """An earlier one refuses fields that it does not know, so they are sent only where they are asked for."""
    known = {"proxies", "spans", "changes", "converged", "wait", "reports"}
    assert StateQuery(True, (1.0,), 3, 4, 5.0).to_document().keys() <= known
    assert StateQuery(changes=3) == StateQuery.from_document({"changes": 3, "of a later version": [1]})

    document = ReplicaState("one", 7).to_document()
    assert ReplicaState("one", 7) == ReplicaState.from_document({**document, "of a later version": 1})
    for field in ("answers", "history"):
        del document[field]
    assert ReplicaState("one", 7) == ReplicaState.from_document(document)


def test_answers_of_a_proxy_come_from_its_newest_stream_and_counts_add_up() -> None:
    """A replica that it has left may not have noticed yet."""
    left, stays = ProxyAnswers("one", 1.0, ()), ProxyAnswers("two", 2.0, ())
    own = ReplicaState("one", answers=left, history={"x": {0: Point(1.0, 0.0, {5.0: 1.0})}})
    others = [
        ReplicaState("two", answers=stays, history={"x": {0: Point(2.0, 1.0, {5.0: 2.0}), 4: Point(1.0)}}),
        ReplicaState("three", history={"y": {1: Point(3.0)}}),
    ]
    found = merge_states(own, others)

    assert stays == found.answers
    assert {"x": {0: Point(3.0, 1.0, {5.0: 3.0}), 4: Point(1.0)}, "y": {1: Point(3.0)}} == found.history
    assert Point(1.0, 0.0, {5.0: 1.0}) == own.history["x"][0]


@pytest.mark.parametrize("field", ["revision", "forgotten"])
def test_an_answer_with_a_number_that_is_none_is_refused(field: str) -> None:
    """JSON's `1e400` is read as infinity, which is no whole number."""
    document = json.loads(json.dumps(ReplicaState("one").to_document() | {field: 1e400}))

    with pytest.raises(MalformedError):
        ReplicaState.from_document(document)


def test_a_proxy_is_where_its_newest_stream_is() -> None:
    """Connected before not connected; what its certificate says comes from there, too."""
    here, moved, gone = proxy(1), proxy(2, since=1.0), proxy(3, connected=False)
    there = replace(moved, since=2.0)
    days = {(ORDER, f"order-{number}"): 1 for number in (1, 2, 3)}
    own = ReplicaState("one", proxies=(here, moved, gone), certificate_days=days)
    other = ReplicaState("two", proxies=(there,), certificate_days={(ORDER, "order-2"): 90})
    found = merge_states(own, [other])

    assert (here, there, gone) == found.proxies
    assert {**days, (ORDER, "order-2"): 90} == found.certificate_days
    assert found.proxies == merge_states(other, [own]).proxies


def test_what_was_counted_adds_up() -> None:
    """By caller and cluster, with the latencies; in each span for itself."""
    own = ReplicaState("one", counted=(((ORDER, "x", Counters(3, 1, 0, {5.0: 3})),), ()))
    other = ReplicaState(
        "two", counted=(((ORDER, "x", Counters(2, 0, 1, {5.0: 1, 10.0: 1})), (ORDER, "y", Counters(1))), ())
    )

    assert (
        ((ORDER, "x", Counters(5, 1, 1, {5.0: 4, 10.0: 1})), (ORDER, "y", Counters(1))),
        (),
    ) == merge_states(own, [other]).counted


@pytest.mark.parametrize(
    ("theirs", "their_revision", "converged", "took"),
    [
        ([change(4, 7, b=9.0)], 7, True, 9.0),
        ([change(4, 7, b=2.0)], 7, True, 5.0),
        # In commits of their own, of which only one reached a proxy.
        ([change(4, 6, False, b=None), change(6, 7)], 7, False, None),
        # Together with what came after it.
        ([change(4, 9, b=7.0)], 9, True, 7.0),
        ([change(4, 9, False, b=None)], 9, False, None),
        # They began later, or nothing of it was news to their proxies.
        ([change(8, 9, False, b=None)], 9, True, 5.0),
        # They do not have it yet.
        ([], 6, False, None),
        # A proxy that has moved has it where it is.
        ([change(4, 7, a=6.0)], 7, True, 6.0),
        ([change(4, 7, a=None)], 7, True, 5.0),
    ],
)
def test_a_change_has_converged_when_it_has_everywhere(
    theirs: Sequence[ChangeStatus], their_revision: int, converged: bool, took: float | None
) -> None:
    """Replicas may cut the same revisions into different commits."""
    own = ReplicaState("one", revision=9, changes=(change(4, 7, a=5.0),))
    [found] = merge_states(own, [ReplicaState("two", revision=their_revision, changes=tuple(theirs))]).changes

    assert (7, converged, took) == (found.revision, found.converged, found.milliseconds)


def test_a_revision_may_have_several_changes_or_none() -> None:
    """Forgotten ones and those to come are not known."""
    both = (change(4, 7, a=1.0), replace(change(4, 7, False, b=None), resources=("mesh other",)))
    told = ReplicaState("one", revision=9, changes=both, forgotten=4)
    found = change_of_revision(told, 7, True, 0.0)

    assert found is not None
    assert (("mesh m7", "mesh other"), False) == (found.resources, found.converged)
    assert change_of_revision(told, 6, True, 0.0) == found
    quiet = change_of_revision(replace(told, changes=()), 8, True, 1.0)
    assert quiet is not None
    assert (8, (), True, 1.0) == (quiet.revision, quiet.resources, quiet.converged, quiet.at)
    assert (None, None) == (change_of_revision(told, 4, True, 0.0), change_of_revision(told, 10, True, 0.0))


class Wired:
    """Replicas that reach each other without a network, by what each would answer."""

    def __init__(self, answers: Mapping[str, Replicas | str]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self.figures = (Figures(), Figures())

    async def find(self) -> Sequence[Peer]:
        if not self.answers:
            raise PeerError("nowhere")
        return [Peer(host, 9080) for host in self.answers]

    async def send(
        self, peer: Peer, path: str, body: bytes, seconds: float, forwarded_for: Author | None = None
    ) -> Response:
        self.asked.append(peer.host)
        found = self.answers[peer.host]
        if isinstance(found, str):
            raise PeerError(found)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        return await found._answer({"method": "POST", "path": path, "headers": []}, receive)

    async def close(self) -> None:
        """There is nothing to close."""


async def three(wired: Wired) -> list[Replicas]:
    """Two that answer and one that does not, over stores of their own."""
    found = []
    for name, figures in zip(("a", "b"), wired.figures, strict=True):
        store, proxies = await SqliteStore.open(None), Proxies()
        proxies.begin(store, list)
        found.append(Replicas(LocalReplica(name, store, proxies, figures), wired))
        await store.close()
    wired.answers = {"1": found[0], "2": found[1], "3": "no answer within 1.5 s"}
    return found


def test_a_replica_knows_itself_and_who_is_missing() -> None:
    """It asks itself once, to learn where it is; one that is silent is counted and named."""
    wired = Wired({})

    async def play() -> None:
        first, _ = await three(wired)
        answer = await first.query(StateQuery(proxies=True))
        assert ({"asked": 3, "answered": 2}, "3:9080") == (answer.counts(), answer.unreachable[0].name)
        wired.asked.clear()
        await first.query(StateQuery())
        assert ["2", "3"] == wired.asked

    asyncio.run(play())


def test_a_name_that_cannot_be_looked_up_is_one_that_is_missing() -> None:
    """Who is not known is not taken for nobody."""

    async def play() -> None:
        wired = Wired({})
        first, _ = await three(wired)
        wired.answers = {}
        answer = await first.query(StateQuery())
        assert ({"asked": 2, "answered": 1}, "nowhere") == (answer.counts(), answer.unreachable[0].why)

    asyncio.run(play())


def test_a_change_is_waited_for_everywhere() -> None:
    """Revision 1 has come nowhere."""

    async def play() -> None:
        first, second = await three(Wired({}))
        assert not (await first.wait_until_converged(1, 0.0)).state.converged
        assert (await second.wait_until_converged(0, 0.0)).state.converged

    asyncio.run(play())


def test_a_request_is_handed_to_the_one_that_is_named() -> None:
    """By its id, wherever that is; a name that nobody answers to is told."""

    async def play() -> None:
        first, _ = await three(Wired({}))
        answer = await first.forward("b", "/shopmesh/v1/replica", b"{}", 1.0)
        assert "b" == json.loads(answer.body)["id"]
        with pytest.raises(PeerError, match="with the name c answers"):
            await first.forward("c", "/shopmesh/v1/replica", b"{}", 1.0)

    asyncio.run(play())


def test_a_proxy_that_moves_is_counted_once() -> None:
    """To another replica and back: each counts only what is new since the other's last report."""

    async def play() -> None:
        wired = Wired({})
        replicas = await three(wired)
        handovers = [Handover(one, figures) for one, figures in zip(replicas, wired.figures, strict=True)]
        for at, (number, counter) in enumerate(((0, 10), (1, 15), (1, 18), (0, 30)), 10):
            # Two at once: the second waits for what was asked for the first.
            await asyncio.gather(*(handovers[number].resume_counters(ORDER, f"order-{one}") for one in (1, 2)))
            reports = wired.figures[number].open(ORDER, "order-1", started=1.0)
            reports.add(float(at), {"x": UpstreamSample(counter, 0, 0, {})})
            reports.close(float(at))
        answer = await replicas[0].query(StateQuery(spans=(0.0,)))
        assert [(ORDER, "x", Counters(30))] == list(answer.state.counted[0])

    asyncio.run(play())


@pytest.mark.parametrize(
    "text", ["host", ":1", "host:", "host:0", "host:x", "host:70000", "host:²", f"host:{'9' * 5000}"]
)
def test_a_name_of_replicas_has_a_port(text: str) -> None:
    """An address of IPv6 stands in brackets."""
    with pytest.raises(ValueError, match="not a host name with a port"):
        Peer.parse(text)
    assert [Peer("a.b", 1), Peer("::1", 2)] == [Peer.parse("a.b:1"), Peer.parse("[::1]:2")]
