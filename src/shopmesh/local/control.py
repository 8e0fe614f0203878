"""How `shopmesh start` and `stop` speak to the `shopmesh up` of a run folder: a Unix socket, one JSON line each way.

{"command": "start", "node": "product-v2-vn", "instance": 1}   ──►
◄──   {"done": ["product-v2-vn-1 runs …"], "warnings": [], "error": null}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from shopmesh.local.errors import ControlError, LocalError

_LONGEST_LINE = 65_536
_PATIENCE_SECONDS = 60.0
_COMMANDS = ("start", "stop")


@dataclass(frozen=True, slots=True)
class Request:
    """`command` is start or stop."""

    command: str
    node: str
    instance: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What was done, what to beware of, and why it was not done."""

    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None


@contextlib.asynccontextmanager
async def listening(path: Path, answer: Callable[[Request], Awaitable[Reply]]) -> AsyncIterator[None]:
    """Answers requests on that socket, which only this user may open; requests are answered one after the other.

    One at a time, because a start and a stop of one node must not overlap.
    """
    turn = asyncio.Lock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reply = await _reply(await reader.readline(), answer, turn)
            writer.write(json.dumps(asdict(reply)).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            # The asker is gone, or sent more than a line may hold: there is nobody to tell.
            pass
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path, limit=_LONGEST_LINE)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _reply(line: bytes, answer: Callable[[Request], Awaitable[Reply]], turn: asyncio.Lock) -> Reply:
    try:
        request = _request(line)
    except ValueError as error:
        return Reply(error=str(error))
    try:
        async with turn:
            return await answer(request)
    except LocalError as error:
        return Reply(error=str(error))


def _request(line: bytes) -> Request:
    document = json.loads(line)
    if not isinstance(document, dict):
        raise ValueError("a request is a JSON object")
    command, node, instance = document.get("command"), document.get("node"), document.get("instance", 1)
    if command not in _COMMANDS or not isinstance(node, str):
        raise ValueError(f"a request has a command of {', '.join(_COMMANDS)} and a node, not {document!r}")
    if not isinstance(instance, int) or not 1 <= instance <= 50:
        raise ValueError(f"an instance is a number from 1 to 50, not {instance!r}")
    return Request(command, node, instance)


def send(path: Path, request: Request) -> Reply:
    """Asks the `up` that listens there. Raises ControlError when none does, or when it refuses."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE_SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps(asdict(request)).encode() + b"\n")
            with connection.makefile("rb") as answers:
                document = json.loads(answers.readline(_LONGEST_LINE))
        reply = Reply(tuple(document["done"]), tuple(document["warnings"]), document["error"])
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(
            f"no shopmesh runs in {path.parent}: start it with `shopmesh up`, or name its folder with --run-dir"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ControlError(f"the shopmesh in {path.parent} gave no answer to {request.command}: {error!r}") from error
    if reply.error is not None:
        raise ControlError(reply.error)
    return reply
