"""What programs print is passed on whole, soon, and at a cost that does not follow the number of lines."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

from shopmesh.local.processes.output_reader import OutputReader
from tests.support.process import eventually


class Blocks:
    """What a reader passed on."""

    def __init__(self) -> None:
        self.found: list[bytes] = []

    @property
    def text(self) -> bytes:
        return b"".join(self.found)


def run(story: Callable[[OutputReader, Blocks], Awaitable[None]], batch_seconds: float = 0.02) -> Blocks:
    """Runs a story with a reader, and closes it."""

    async def whole() -> None:
        reader = OutputReader(blocks.found.append, batch_seconds)
        reader.start()
        try:
            await story(reader, blocks)
        finally:
            reader.close()

    blocks = Blocks()
    asyncio.run(whole())
    return blocks


async def soon(probe: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(eventually, probe, what)


def test_a_line_after_a_quiet_time_is_passed_on_at_once() -> None:
    """Although the next batch would be due in an hour."""

    async def story(reader: OutputReader, blocks: Blocks) -> None:
        os.write(reader.write_end, b"first\n")
        await soon(lambda: blocks.text == b"first\n", "the line")

    run(story, batch_seconds=3600)


def test_lines_that_follow_come_together() -> None:
    """A thousand lines that are printed one by one wake the reader a few times."""

    async def story(reader: OutputReader, blocks: Blocks) -> None:
        for number in range(1000):
            os.write(reader.write_end, b"%d\n" % number)
            await asyncio.sleep(0)
        await soon(lambda: blocks.text.endswith(b"999\n"), "the last line")
        await soon(lambda: reader._later is None, "a quiet time")
        os.write(reader.write_end, b"again\n")
        await soon(lambda: blocks.text.endswith(b"again\n"), "the line after it")

    blocks = run(story, batch_seconds=0.5)

    assert b"".join(b"%d\n" % number for number in range(1000)) + b"again\n" == blocks.text
    assert len(blocks.found) < 10


def test_what_is_in_the_pipe_at_the_end_is_passed_on() -> None:
    """Also a last line without an end, and more than one reading gives."""

    async def story(reader: OutputReader, blocks: Blocks) -> None:
        os.write(reader.write_end, b"first\n")
        await soon(lambda: bool(blocks.found), "the first line")
        os.write(reader.write_end, b"x" * 50_000 + b"\nlast")

    blocks = run(story, batch_seconds=3600)

    assert blocks.text.replace(b"\n", b"") == b"first" + b"x" * 50_000 + b"last"
    assert blocks.text.endswith(b"\nlast\n")


def test_a_program_that_prints_much_does_not_wait_for_batches() -> None:
    """20 MB in lines, for which there is no room meanwhile, pass in a few batches."""
    code = "import os\nfor _ in range(2000): os.write(1, b'y' * 99 + b'\\n' + (b'z' * 99 + b'\\n') * 99)"

    async def story(reader: OutputReader, blocks: Blocks) -> None:
        with subprocess.Popen([sys.executable, "-c", code], stdout=reader.write_end) as program:
            reader.close_write_end()
            await soon(lambda: len(blocks.text) == 20_000_000, "all of it")
            assert program.wait(10) == 0

    run(story, batch_seconds=0.5)


@pytest.mark.parametrize("printed", [b"", b"one\n"])
def test_a_pipe_that_its_program_closed_is_read_no_more(printed: bytes) -> None:
    """A loop that is told of the end of a pipe over and over would use a whole core."""

    async def story(reader: OutputReader, blocks: Blocks) -> None:
        os.write(reader.write_end, printed)
        reader.close_write_end()
        await soon(lambda: blocks.text == printed and reader._later is None, "the end")
        loop = asyncio.get_running_loop()
        await soon(lambda: reader._read_end not in _watched(loop), "no watch")

    run(story)


def _watched(loop: asyncio.AbstractEventLoop) -> set[int]:
    return {key.fd for key in loop._selector.get_map().values()}  # type: ignore[attr-defined]  # of asyncio's own loop
