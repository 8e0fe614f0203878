"""Plays exchanges that are transcribed from Kubernetes' documentation: `> METHOD path?query`, `< status header`, lines.

What a request has beside the given query does not matter; one without an answer is left waiting. Anything else that is
asked is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.support.answering import Answering, answering

FOLDER = Path(__file__).parent / "transcripts"
NAMES = sorted(path.stem for path in FOLDER.iterdir())


class Exchange(NamedTuple):
    request: str
    """`GET /api/v1/…?…`"""
    status: str
    """With headers, or empty when there is no answer."""
    body: bytes

    @property
    def cut(self) -> bool:
        """Whether the answer breaks off."""
        return not self.body.endswith((b"}\n", b"error\n"))

    def asked_by(self, head: bytes) -> bool:
        method, target, _ = head.decode().split("\r\n")[0].split(" ")
        given, wanted = urlsplit(target), urlsplit(self.request.partition(" ")[2])
        query = dict(parse_qsl(given.query))
        more = "continue" in query and "continue" not in wanted.query
        same = (method, given.path) == (self.request.partition(" ")[0], wanted.path)
        return same and not more and dict(parse_qsl(wanted.query)).items() <= query.items()


def exchanges(name: str) -> list[Exchange]:
    found: list[Exchange] = []
    for line in (FOLDER / f"{name}.http").read_text().splitlines():
        if line.startswith(">"):
            found.append(Exchange(line[2:], "", b""))
        elif line.startswith("<"):
            found[-1] = found[-1]._replace(status=line[2:])
        elif not line.startswith("#"):
            found[-1] = found[-1]._replace(body=found[-1].body + line.encode() + b"\n")
    return found


class Playing(NamedTuple):
    server: Answering
    wrong: list[str]
    """What was asked that is not in the transcript."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"


@contextlib.contextmanager
def playing(name: str) -> Iterator[Playing]:
    script = exchanges(name)
    wrong: list[str] = []

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        head = server.heads[number - 1]
        if number > len(script) or not script[number - 1].asked_by(head):
            wrong.append(head.decode())
            writer.close()
            return
        exchange = script[number - 1]
        if not exchange.status:
            await asyncio.Event().wait()
        status, _, header = exchange.status.partition(" ")
        lines = [f"HTTP/1.1 {status} Told", "content-type: application/json", "transfer-encoding: chunked", header]
        writer.write("\r\n".join(line for line in lines if line).encode() + b"\r\n\r\n")
        for line in exchange.body.splitlines(keepends=True):
            writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if exchange.cut:
            writer.close()
            return
        writer.write(b"0\r\n\r\n")

    with answering(answer) as server:
        yield Playing(server, wrong)
