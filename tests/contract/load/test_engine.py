"""The load engine against servers that misbehave."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from shopmesh.load.engine.open_loop import Limits, LoadError, OpenLoopEngine, steady
from shopmesh.load.engine.plan import constant_plan
from shopmesh.load.engine.results import CLOSED, NO_ANSWER, NOT_HTTP, NOT_SENT_BUSY, NOT_SENT_LATE, LoadResults, Outcome
from shopmesh.load.engine.targets import make_target, target_chooser
from shopmesh.load.judgement.attribution import BODY_PATTERN, Attribution, compile_pattern
from tests.support.answering import Answering, answering, ok
from tests.support.process import free_port

OK = ok()
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nx-service-version: a/0\r\n\r\n" + OK


def loaded(engine: OpenLoopEngine) -> LoadResults:
    """Runs all of its plan."""

    async def story() -> LoadResults:
        await engine.start()
        await engine.wait_finished()
        return await engine.stop()

    return asyncio.run(story())


def quickly(server: Answering, requests: int, rate: float = 500, limits: Limits | None = None) -> LoadResults:
    return loaded(steady(server.url, rate, requests / rate, limits))


@pytest.mark.parametrize("answer", [OK, CHUNKED, EARLY], ids=["length", "chunked", "early hints"])
def test_every_request_is_accounted_for(answer: bytes) -> None:
    """All that were planned are sent, once, and answered, over connections that are kept."""
    with answering(answer) as server:
        tally = quickly(server, 300)

    assert (300, 300, {}) == (server.requests, tally.good, tally.failures)
    assert [Outcome(200)] == [cell.outcome for cell in tally.outcomes]
    assert 100 == server.connections


def test_a_bad_answer_and_a_cut_connection_are_failures() -> None:
    """One 503, one connection closed without an answer, one answer that is not HTTP: three failures, told apart."""

    async def answer(count: int, writer: asyncio.StreamWriter) -> None:
        match count:
            case 50:
                writer.write(ok({"x-envoy-response-flags": "UH"}, b"", "503 Service Unavailable"))
            case 100:
                writer.close()
            case 150:
                writer.write(b"nonsense\r\n\r\n")
            case _:
                writer.write(OK)

    with answering(answer) as server:
        tally = quickly(server, 400)

    assert {"answered 503 (UH)": 1, CLOSED: 1, NOT_HTTP: 1} == tally.failures
    assert 397 == tally.good


@pytest.mark.parametrize(
    "answer",
    [OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), b"HTTP/1.1 200 OK\r\n\r\nas long as it takes"],
    ids=["said", "by its end"],
)
def test_a_server_that_closes_after_each_answer_costs_no_request(answer: bytes) -> None:
    """Each answer counts, and the pool is filled again, never beyond its size."""

    async def once(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    with answering(once) as server:
        tally = quickly(server, 200, limits=Limits(connections=10))

    assert (200, {}) == (tally.good, tally.failures)


def test_a_body_that_is_cut_off_is_no_answer() -> None:
    """Half of what was announced is a failure, not a success."""

    async def cut(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        writer.close()

    with answering(cut) as server:
        tally = quickly(server, 20)

    assert {CLOSED: 20} == tally.failures


def test_a_stall_is_seen_by_every_request_that_was_due_in_it() -> None:
    """500 ms at 1,000 a second: p99 is within 5 % of the truth, plan and server tell it. No coordinated omission."""
    answered: list[float] = []

    async def answer(count: int, writer: asyncio.StreamWriter) -> None:
        if count == 1000:
            # The whole server stands still, as in a garbage collection.
            time.sleep(0.5)
        writer.write(OK)
        answered.append(time.monotonic())

    with answering(answer) as server:
        # With so few connections almost all that are due in the stall leave after it.
        engine = steady(server.url, 1000, 3.0, Limits(connections=10))
        tally = loaded(engine)

    # They come in the order in which they were due.
    waited = sorted(
        at - engine.began - due for at, due in zip(answered, constant_plan(1000, 3.0).due_times(), strict=True)
    )
    [p99] = tally.quantiles((0.99,))
    assert {} == tally.failures
    assert waited[-30] > 0.4
    assert waited[-30] == pytest.approx(p99, rel=0.05)


def test_what_does_not_fit_is_dropped_and_said() -> None:
    """A server that never answers: one request a connection, a queue of fixed length, and no more; all are counted."""
    release = asyncio.Event()

    async def never(_: int, __: asyncio.StreamWriter) -> None:
        await release.wait()

    with answering(never) as server:
        tally = quickly(server, 100, limits=Limits(connections=2, queue=3, timeout=0.5))

    assert 100 == tally.ended
    # Two are under way and three wait, until the time is over and as many take their place.
    assert tally.failures.keys() == {NOT_SENT_BUSY, NO_ANSWER}
    assert tally.failures[NOT_SENT_BUSY] >= 80
    assert server.requests + 3 <= tally.failures[NO_ANSWER] + 3 <= 20


def test_a_client_that_is_behind_says_so() -> None:
    """Sends that left late are counted as late, and what is too late is dropped, not sent as if nothing were."""

    async def story(engine: OpenLoopEngine) -> LoadResults:
        await engine.start()
        asyncio.get_running_loop().call_later(0.1, time.sleep, 0.8)
        await engine.wait_finished()
        return await engine.stop()

    with answering(OK) as server:
        tally = asyncio.run(story(steady(server.url, 200, 1.2, Limits(timeout=0.4))))

    assert 240 == tally.ended
    assert 50 <= tally.failures[NOT_SENT_LATE] <= 110
    assert tally.late >= tally.very_late >= 50


def test_nobody_listening_is_an_error() -> None:
    """A load that cannot connect at all does not start, and says to what."""
    port = free_port()

    with pytest.raises(LoadError, match=rf"cannot connect to http://127\.0\.0\.1:{port}"):
        asyncio.run(steady(f"http://127.0.0.1:{port}/", 100).start())


def test_connections_that_are_cut_are_opened_again() -> None:
    """Ten in a row are cut: ten failures, and the load goes on."""

    async def answer(count: int, writer: asyncio.StreamWriter) -> None:
        if 100 <= count < 110:
            writer.transport.abort()
        else:
            writer.write(OK)

    with answering(answer) as server:
        tally = quickly(server, 400, limits=Limits(connections=20))

    assert 400 == tally.ended
    assert {CLOSED: 10} == tally.failures


def test_versions_are_read_all_through_the_call_tree() -> None:
    """The one that answered and those behind it, from two headers, in any case; each combination counted."""

    async def answer(count: int, writer: asyncio.StreamWriter) -> None:
        peers = "customer/1.0, product/2.0" if count % 4 == 0 else "product/1.0, customer/1.0"
        writer.write(ok({"X-Service-Version": "order/1.0", "x-peer-versions": peers}))

    with answering(answer) as server:
        tally = quickly(server, 200)

    assert {
        ("customer/1.0", "order/1.0", "product/2.0"): 50,
        ("customer/1.0", "order/1.0", "product/1.0"): 150,
    } == {cell.outcome.versions: cell.count for cell in tally.outcomes}


def test_versions_are_read_from_the_body_on_request() -> None:
    """The lines of the webinar's services, in pieces as the network likes them."""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        whole = ok(body=b'{"Service":"Order","Version":1.0}\n{"Service":"Product","Version":2.0}\n')
        writer.write(whole[:70])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(whole[70:])

    with answering(answer) as server:
        one = make_target(server.url)
        tally = LoadResults(Attribution((), compile_pattern(BODY_PATTERN)))
        loaded(OpenLoopEngine(constant_plan(300, 0.2), (one,), lambda: one, tally))

    assert [("order/1.0", "product/2.0")] == [cell.outcome.versions for cell in tally.outcomes]


def test_several_targets_share_by_weight() -> None:
    """Methods, headers and bodies arrive as given, and each URL gets its part, the same for the same seed."""
    with answering(OK) as one, answering(OK) as other:
        targets = (
            make_target(f"{one.url}a?b=c", "GET", [("x-canary", "1")]),
            make_target(f"{other.url}d", "POST", (), b""),
        )
        loaded(OpenLoopEngine(constant_plan(500, 0.8), targets, target_chooser(targets, (3, 1), seed=1)))

        assert 400 == one.requests + other.requests
        assert 250 <= one.requests <= 350
        assert re.fullmatch(
            rb"GET /a\?b=c HTTP/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nuser-agent: shopmesh-load\r\nx-canary: 1\r\n\r\n",
            one.heads[0],
        )
        assert other.heads[0].startswith(b"POST /d HTTP/1.1\r\n")


def test_connections_are_as_many_as_asked_for() -> None:
    """Opened before the load begins, and none more in it, even when all are busy."""

    async def slow(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(OK)

    with answering(slow) as server:
        tally = quickly(server, 150, limits=Limits(connections=5))

    assert 5 == server.connections
    assert (150, {}) == (tally.good, tally.failures)
    assert tally.queued > 50
