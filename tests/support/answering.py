"""A small HTTP server on loopback, in a thread of its own, that answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def ok(headers: Mapping[str, str] | None = None, body: bytes = b"ok", status: str = "200 OK") -> bytes:
    """An answer as bytes."""
    lines = [f"{name}: {value}" for name, value in {**(headers or {}), "content-length": len(body)}.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def always(answer: bytes) -> Answer:
    async def write(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return write


class Answering:
    """What the server has seen."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests = 0
        self.heads: list[bytes] = []
        """The heads of the first requests."""
        self.connections = 0
        self.port = 0
        self.serving: set[asyncio.Task[None] | None] = set()
        """One a connection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(asyncio.current_task())
        # However a client or a test ends, the server has nothing to say about it.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                if len(self.heads) < 100:
                    self.heads.append(head)
                await self.answer(self.requests, writer)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def answering(answer: Answer | bytes) -> Iterator[Answering]:
    """Counts requests and answers each as `answer` says; a stall of it stalls nobody else."""
    found = Answering(always(answer) if isinstance(answer, bytes) else answer)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(found.serve, "127.0.0.1", 0, backlog=512)
        found.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        # A connection that is just being taken must be taken: cancelled, it would leave its socket open.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others & found.serving:
                task.cancel()
            await asyncio.wait(others, timeout=0.01)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
