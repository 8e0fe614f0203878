"""`GET /shopmesh/v1/live`: the live state as server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from shopmesh.console.assets import accepts_gzip
from shopmesh.console.live.builder import LiveBuilder
from shopmesh.console.live.encoding import Encoder, GzipEncoder, LiveEvent, PlainEncoder
from shopmesh.console.live.feed import LiveFeed
from shopmesh.server.control_plane import RouteContext

PATH = "/shopmesh/v1/live"
MOST_STREAMS = 64
"""The most open streams. A browser has one, whatever its tabs."""
RETRY_SECONDS = 5
"""After which a client that was refused may try again."""


def live_routes(parts: RouteContext, most: int = MOST_STREAMS) -> Iterable[BaseRoute]:
    """The route of the stream, for `extra_routes` of a control plane."""
    builder = LiveBuilder(parts)
    feed = LiveFeed(builder.build, builder.forget, parts.stopping)
    parts.proxies.subscribe(builder.on_proxies_change)
    parts.proxies.subscribe(feed.wake)
    return [Route(PATH, LiveEndpoint(feed, most), methods=["GET"])]


class LiveEndpoint:
    """ASGI app: one stream a request, as long as the client stays."""

    def __init__(self, feed: LiveFeed, most: int) -> None:
        self._feed = feed
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self._feed) >= self._most:
            message = f"{self._most} live streams are open already; close a window of the console, or try again later"
            refused = JSONResponse({"message": message}, 503, {"retry-after": str(RETRY_SECONDS)})
            await refused(scope, receive, send)
            return
        encoder = GzipEncoder() if accepts_gzip(scope) else PlainEncoder()
        headers = {"cache-control": "no-store", "vary": "accept-encoding", **encoder.headers}
        with self._feed.listening() as news:
            body = _encode(self._feed.events(news), encoder) if scope["method"] == "GET" else iter(())
            await StreamingResponse(body, headers=headers, media_type="text/event-stream")(scope, receive, send)


async def _encode(events: AsyncGenerator[LiveEvent], encoder: Encoder) -> AsyncGenerator[bytes]:
    async for one in events:
        yield encoder.add(one)
    yield encoder.end()
