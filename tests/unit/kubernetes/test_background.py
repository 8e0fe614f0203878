"""A task beside a block ends with it, and an error of its own is not lost."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shopmesh.kubernetes.background import background_task


def test_a_task_is_cancelled_when_its_block_ends() -> None:
    """And is over then."""

    async def run() -> tuple[bool, bool]:
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with background_task(work(), "waiting"):
            await asyncio.sleep(0)
            before = ended.is_set()
        return before, ended.is_set()

    assert (False, True) == asyncio.run(run())


def test_a_task_that_fails_before_its_block_ends_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The block goes on, and the log names the task."""

    async def work() -> None:
        raise RuntimeError("broken")

    async def run() -> None:
        async with background_task(work(), "looking"):
            await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())

    assert ["the background task looking failed"] == [one.message for one in caplog.records]
