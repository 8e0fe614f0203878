"""A small HTTP/1.1 client: one short request and response for each connection.

For readiness, Envoy's admin socket and the first request through the mesh; load tests have a client with a pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import httptools

from shopmesh.local.processes.ports import LOOPBACK

_MAX_BODY_BYTES = 1 << 20
_READ_BYTES = 65_536
_POLL_SECONDS = 0.02


class HttpResponse:
    """An HTTP response, filled by the parser; header names are in lower case."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def send_request(
    target: int | Path,
    path: str,
    method: str = "GET",
    timeout_seconds: float = 2.0,
    host: str = LOOPBACK,
    json_body: bytes = b"",
) -> HttpResponse:
    """Sends one request to a port of `host`, or to a Unix socket; `json_body` is empty for none.

    Raises OSError (TimeoutError is one) when no response comes in time, or one that is not HTTP or larger than 1 MiB.
    """
    response = HttpResponse()
    where = str(target) if isinstance(target, Path) else f"{host}:{target}"
    parser = httptools.HttpResponseParser(response)
    async with asyncio.timeout(timeout_seconds):
        if isinstance(target, Path):
            reader, writer = await asyncio.open_unix_connection(target)
        else:
            reader, writer = await asyncio.open_connection(host, target)
        try:
            authority = host if isinstance(target, Path) else where
            head = f"{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n"
            content = f"content-type: application/json\r\ncontent-length: {len(json_body)}\r\n\r\n"
            writer.write(f"{head}{content}".encode() + json_body)
            while not response.complete and (chunk := await reader.read(_READ_BYTES)):
                parser.feed_data(chunk)
                if len(response.body) > _MAX_BODY_BYTES:
                    raise OSError(f"{where}{path} sent a response larger than {_MAX_BODY_BYTES} bytes")
        except httptools.HttpParserError as error:
            raise OSError(f"{where}{path} does not answer in HTTP: {error}") from error
        finally:
            writer.close()
    if not response.complete:
        raise OSError(f"{where}{path} closed the connection without an answer")
    response.status = parser.get_status_code()
    return response


async def wait_until_ok(port: int, path: str, seconds: float, host: str = LOOPBACK) -> HttpResponse:
    """Repeats a request until the response is 200. Raises TimeoutError with the last response, or `no answer`."""
    deadline = time.monotonic() + seconds
    while True:
        last = "no answer"
        with contextlib.suppress(OSError):
            response = await send_request(port, path, host=host)
            if response.status == 200:
                return response
            last = f"{response.status}: {response.body[:200].decode(errors='replace').strip()}"
        if time.monotonic() > deadline:
            raise TimeoutError(last)
        await asyncio.sleep(_POLL_SECONDS)
