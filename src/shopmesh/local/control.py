"""The protocol of `shopmesh start` and `stop` with `shopmesh up`: a Unix socket, one JSON line each way.

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

_MAX_LINE_BYTES = 65_536
_TIMEOUT_SECONDS = 60.0
_COMMANDS = ("start", "stop")


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """`command` is start or stop."""

    command: str
    node: str
    instance: int = 1


@dataclass(frozen=True, slots=True)
class ControlReply:
    """What was done, warnings, and the error, if it failed."""

    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None


@contextlib.asynccontextmanager
async def control_server(
    path: Path, handle: Callable[[ControlRequest], Awaitable[ControlReply]]
) -> AsyncIterator[None]:
    """Answers requests on a socket that only this user can open, one at a time.

    A start and a stop of the same node must not overlap.
    """
    lock = asyncio.Lock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reply = await _reply(await reader.readline(), handle, lock)
            writer.write(json.dumps(asdict(reply)).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            # The client has disconnected, or its line is too long: no reply is possible.
            pass
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path, limit=_MAX_LINE_BYTES)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _reply(
    line: bytes, handle: Callable[[ControlRequest], Awaitable[ControlReply]], lock: asyncio.Lock
) -> ControlReply:
    try:
        request = _parse_request(line)
    except ValueError as error:
        return ControlReply(error=str(error))
    try:
        async with lock:
            return await handle(request)
    except LocalError as error:
        return ControlReply(error=str(error))


def _parse_request(line: bytes) -> ControlRequest:
    document = json.loads(line)
    if not isinstance(document, dict):
        raise ValueError("a request is a JSON object")
    command, node, instance = document.get("command"), document.get("node"), document.get("instance", 1)
    if command not in _COMMANDS or not isinstance(node, str):
        raise ValueError(f"a request has a command of {', '.join(_COMMANDS)} and a node, not {document!r}")
    if not isinstance(instance, int) or not 1 <= instance <= 50:
        raise ValueError(f"an instance is a number from 1 to 50, not {instance!r}")
    return ControlRequest(command, node, instance)


def send(path: Path, request: ControlRequest) -> ControlReply:
    """Sends a request to the `up` that listens there. Raises ControlError when none does, or when it refuses."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps(asdict(request)).encode() + b"\n")
            with connection.makefile("rb") as answers:
                document = json.loads(answers.readline(_MAX_LINE_BYTES))
        reply = ControlReply(tuple(document["done"]), tuple(document["warnings"]), document["error"])
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(
            f"`shopmesh up` does not run in {path.parent}: start it, or name its folder with --run-dir"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ControlError(f"`shopmesh up` in {path.parent} did not answer {request.command}: {error!r}") from error
    if reply.error is not None:
        raise ControlError(reply.error)
    return reply
