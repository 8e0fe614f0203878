"""After an outage of the API server everything that waits for it goes on at once, and not all in the same moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from shopmesh.kubernetes.api.client import ApiServerUnreachableError, KubernetesApiError, KubernetesStatusError
from shopmesh.kubernetes.api.contact import Contact
from shopmesh.kubernetes.api.reflector import Reflector
from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, MESHES, NAMESPACES, PODS, SECRETS
from shopmesh.kubernetes.api.retry_wait import MAX_BACKOFF, MAX_RETRY_AFTER, WAKE_JITTER, RetryWait
from tests.contract.kubernetes.reflecting import Mirror, speaking, until
from tests.support.kubernetes import Cluster

LONG = 3600.0
NO_ANSWER = ApiServerUnreachableError("no answer")


class Clock:
    """A sleep that ends when a test says so, and how long was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._ends = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        if seconds > WAKE_JITTER:
            await self._ends.wait()

    def end(self) -> None:
        self._ends.set()
        self._ends = asyncio.Event()


async def test_a_request_that_succeeds_wakes_all_watches(cluster: Cluster) -> None:
    """Each of them would have waited for an hour; a single read brings all of them back."""
    kinds = (CONFIG_MAPS, MESHES, NAMESPACES, PODS)

    def longest_backoff(low: float, high: float) -> float:
        return LONG if low else random.uniform(low, high)

    async with speaking(cluster.configuration()) as api:
        reflectors = [Reflector(api, kind, Mirror(), uniform=longest_backoff) for kind in kinds]
        tasks = [asyncio.create_task(one.run()) for one in reflectors]
        try:
            await until(lambda: cluster.watches == len(kinds), "all watches")
            cluster.stop()
            await until(lambda: all(one.disconnected for one in reflectors), "the outage")
            await asyncio.sleep(0)
            cluster.start()
            await api.list(SECRETS)

            await until(lambda: all(one.disconnected is None for one in reflectors), "all watches again")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_those_who_wait_come_back_one_after_the_other() -> None:
    """The API server that has just come back is not asked by all in the same moment."""
    contact, clocks, chosen = Contact(), [Clock() for _ in range(20)], random.Random(3)

    def jitter(low: float, high: float) -> float:
        return high if low else chosen.uniform(low, high)

    waits = [RetryWait(contact, sleep=one.sleep, uniform=jitter) for one in clocks]
    tasks = [asyncio.create_task(one.after(9, NO_ANSWER)) for one in waits]
    await until(lambda: all(one.asked for one in clocks), "all of them wait")
    contact.report_success()
    await asyncio.gather(*tasks)

    spread = [one.asked[1] for one in clocks]
    assert all(0.0 <= one <= WAKE_JITTER for one in spread)
    assert len({*spread}) == len(spread)


async def test_a_request_that_fails_alone_is_not_repeated_with_each_success_of_others() -> None:
    """It is woken once; when it fails again, it waits its own time."""
    contact, clock = Contact(), Clock()
    retry = RetryWait(contact, sleep=clock.sleep, uniform=lambda _, high: high)
    first = asyncio.create_task(retry.after(9, NO_ANSWER))
    await until(lambda: clock.asked, "the first wait")
    contact.report_success()
    await first
    second = asyncio.create_task(retry.after(10, NO_ANSWER))
    await until(lambda: len(clock.asked) == 3, "the second wait")
    contact.report_success()
    await asyncio.sleep(0)
    assert not second.done()
    clock.end()
    await second

    assert [MAX_BACKOFF, WAKE_JITTER, MAX_BACKOFF] == clock.asked


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (KubernetesStatusError("forbidden", 403, "Forbidden"), MAX_BACKOFF),
        (KubernetesStatusError("not installed", 404, "NotFound"), MAX_BACKOFF),
        (KubernetesStatusError("busy", 429, "TooManyRequests", 20.0), 20.0),
        (KubernetesStatusError("busy", 503, "ServiceUnavailable", 20.0), 20.0),
        (KubernetesStatusError("busy", 429, "TooManyRequests", 4000.0), MAX_RETRY_AFTER),
        (KubernetesApiError("the watch ended at once"), MAX_BACKOFF),
    ],
)
async def test_an_api_server_that_answered_is_no_outage(error: KubernetesApiError, seconds: float) -> None:
    """What it refuses it refuses again, whatever it answers others; and it may say when to come back."""
    contact, clock = Contact(), Clock()
    waiting = asyncio.create_task(RetryWait(contact, sleep=clock.sleep, uniform=_high).after(9, error))
    await until(lambda: clock.asked, "the wait")
    contact.report_success()
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.end()
    await waiting

    assert [seconds] == clock.asked


async def test_whoever_stops_waiting_is_forgotten() -> None:
    """Its sleep ends with it."""
    contact, clock = Contact(), Clock()
    waiting = asyncio.create_task(contact.wait(LONG, clock.sleep))
    await until(lambda: clock.asked, "the wait")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    contact.report_success()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)

    assert all(one.done() for one in others)


_high: Callable[[float, float], float] = max
