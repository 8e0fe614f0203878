"""What the log says of objects that cannot be used: nothing that is over in a moment, and the rest once."""

from __future__ import annotations

import asyncio

import pytest

from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.problem_log import ProblemLog

NODE, ROUTER = ObjectName("VirtualNode", "default", "product"), ObjectName("VirtualRouter", "default", "product")


class Recorded:
    """A log whose timers a test lets run."""

    def __init__(self, caplog: pytest.LogCaptureFixture, seconds: float) -> None:
        self._caplog = caplog
        self.problems = ProblemLog(seconds)

    async def lines(self) -> list[str]:
        """What it has logged, once all timers that are due have run."""
        for _ in range(3):
            await asyncio.sleep(0)
        return [record.getMessage() for record in self._caplog.records]


def test_a_problem_that_lasts_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often the same is found again; another problem of the same object is logged as well."""

    async def story() -> list[str]:
        recorded = Recorded(caplog, 0.0)
        for _ in range(3):
            recorded.problems.update({NODE: "it has no mesh"})
            await recorded.lines()
        recorded.problems.update({NODE: "it has two meshes"})
        return await recorded.lines()

    assert [
        "VirtualNode default/product is not used as it is: it has no mesh",
        "VirtualNode default/product is not used as it is: it has two meshes",
    ] == asyncio.run(story())


def test_a_problem_that_is_over_soon_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As when a router comes before its nodes; when it comes back later, that counts anew."""

    async def story() -> list[str]:
        recorded = Recorded(caplog, 0.05)
        recorded.problems.update({ROUTER: "it has no nodes", NODE: "it has no mesh"})
        recorded.problems.update({NODE: "it has no mesh"})
        while not (lines := await recorded.lines()):
            await asyncio.sleep(0.01)
        return lines

    assert ["VirtualNode default/product is not used as it is: it has no mesh"] == asyncio.run(story())


def test_what_is_solved_and_comes_back_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    """It is news."""

    async def story() -> list[str]:
        recorded = Recorded(caplog, 0.0)
        for problems in ({NODE: "it has no mesh"}, {}, {NODE: "it has no mesh"}):
            recorded.problems.update(problems)
            await recorded.lines()
        return await recorded.lines()

    assert 2 == len(asyncio.run(story()))
