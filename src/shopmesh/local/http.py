"""Short requests by HTTP/1.1, each on a connection of its own.

For readiness, Envoy's admin socket and the first request through the mesh; load tests have a client with a pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp

from shopmesh.local.processes.ports import LOOPBACK

_MAX_BODY_BYTES = 1 << 20
_POLL_SECONDS = 0.02


class HttpResponse(NamedTuple):
    """An HTTP response; its headers are found in upper and lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


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
    if isinstance(target, Path):
        connector, url = aiohttp.UnixConnector(str(target)), f"http://{host}{path}"
    else:
        connector, url = None, f"http://{host}:{target}{path}"
    headers = {"content-type": "application/json", "connection": "close"}
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
            session.request(method, url, data=json_body, headers=headers, allow_redirects=False) as response,
        ):
            body = b""
            async for part in response.content.iter_any():
                body += part
                if len(body) > _MAX_BODY_BYTES:
                    raise OSError(f"{target}{path} sent a response larger than {_MAX_BODY_BYTES} bytes")
            return HttpResponse(response.status, response.headers, body)
    except aiohttp.ClientError as error:
        raise OSError(f"no answer in HTTP from {target}{path}: {error}") from error


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
