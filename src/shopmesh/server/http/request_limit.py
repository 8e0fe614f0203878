"""Limits the requests in progress. Probes do not count: a busy server must not look like a dead one."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.errors import ServiceUnavailable
from shopmesh.server.api.app_mesh import send_response


class RequestLimitMiddleware:
    """ASGI middleware: answers 503 while `most` requests are in progress. `exempt` are paths that are always served."""

    def __init__(self, app: ASGIApp, most: int, exempt: Collection[str] = ()) -> None:
        self.app = app
        self._most = most
        self._exempt = frozenset(exempt)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self.app(scope, receive, send)
        elif self._running >= self._most:
            problem = f"{self._most} requests are being answered already; try again"
            await send_response(rest_json.error_response(ServiceUnavailable(problem)), send)
        else:
            self._running += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self._running -= 1
