"""Other replicas over HTTP: found by the addresses of a host name, queried with signed requests."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence

import aiohttp
import yarl

from shopmesh.appmesh.api.rest_json import Response
from shopmesh.server.api.sigv4 import SignedRequest, sha256, sign
from shopmesh.server.replicas.replicas import ANSWER_SECONDS, FORWARDED, Peer, PeerError
from shopmesh.server.store.author import Author

LARGEST_ANSWER = 32 * 1024 * 1024
MOST_PEERS = 16
KNOWN_SECONDS = 1.0
"""Seconds for which the addresses of a name are reused."""
_KEPT = ("content-type", "retry-after", "x-amzn-errortype")


class HttpPeers:
    """The replicas behind host names and ports; a headless Service's name has an address for each pod.

    `credentials` (access key → secret key) are those that the replicas require. Belongs to the running event loop.
    """

    def __init__(self, names: Sequence[Peer], credentials: Mapping[str, str], region: str) -> None:
        self._names = names
        self._key = next(iter(credentials.items()), None)
        self._region = region
        # A connection that is kept may be closed by the other side in the moment it is used again, and a POST is not
        # sent twice by itself.
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        self._found: tuple[Peer, ...] = ()
        self._found_at = -KNOWN_SECONDS
        self._finding: asyncio.Task[None] | None = None
        self._failure = f"no answer within {ANSWER_SECONDS:g} s"

    async def find(self) -> Sequence[Peer]:
        """The replicas; those found last while the lookup fails. Raises PeerError when no lookup has succeeded."""
        if time.monotonic() - self._found_at > KNOWN_SECONDS:
            # A lookup blocks a thread, so there is never more than one.
            if self._finding is None or self._finding.done():
                self._finding = asyncio.create_task(self._look_up())
            await asyncio.wait([self._finding], timeout=ANSWER_SECONDS)
            if not self._found:
                names = ", ".join(map(str, self._names))
                raise PeerError(f"{names} cannot be looked up: {self._failure}")
        return self._found

    async def send(
        self, peer: Peer, path: str, body: bytes, seconds: float, forwarded_for: Author | None = None
    ) -> Response:
        url = yarl.URL(f"http://{peer}{path}", encoded=True)
        headers = {"host": str(peer), "content-type": "application/json"}
        if forwarded_for is not None:
            headers[FORWARDED] = f"{forwarded_for.door or 1} {forwarded_for.name or ''}".strip()
        if self._key is not None:
            request = SignedRequest("POST", path, "", {name: (value,) for name, value in headers.items()}, sha256(body))
            headers |= sign(request, *self._key, self._region, time.time())
        timeout = aiohttp.ClientTimeout(total=seconds, connect=ANSWER_SECONDS)
        try:
            async with self._session.post(url, data=body, headers=headers, timeout=timeout) as answer:
                kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
                return Response(answer.status, await _read(answer.content), kept)
        except TimeoutError:
            raise PeerError(f"no answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerError(str(error) or repr(error)) from error

    async def close(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
        await self._session.close()

    async def _look_up(self) -> None:
        loop = asyncio.get_running_loop()
        found: set[Peer] = set()
        try:
            for host, port in self._names:
                for _, _, _, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                    found.add(Peer(str(address[0]), port))
        except OSError as error:
            self._failure = error.strerror or repr(error)
            return
        self._found, self._found_at = tuple(sorted(found)[:MOST_PEERS]), time.monotonic()


async def _read(stream: aiohttp.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in stream.iter_any():
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise PeerError(f"its response is larger than {LARGEST_ANSWER} bytes")
    return b"".join(parts)
