"""Routes that a package above the server adds to it."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from shopmesh.server.config import Config
from shopmesh.server.control_plane import RouteContext, serving_control_plane


def revision_route(parts: RouteContext) -> Iterable[BaseRoute]:
    async def revision(_: Request) -> Response:
        return JSONResponse({"revision": parts.store.revision})

    return [Route("/console/revision", revision)]


def answer_of(config: Config) -> tuple[int, str]:
    """The status and the body of that route."""

    def ask(port: int) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/console/revision", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async def serve() -> tuple[int, str]:
        async with asyncio.timeout(20), serving_control_plane(config, revision_route) as listening:
            return await asyncio.to_thread(ask, listening.api_port)

    return asyncio.run(serve())


def test_an_added_route_reads_the_parts_of_the_server() -> None:
    """It is made once the store is open."""
    status, body = answer_of(Config(api_port=0, xds_port=0, insecure=True))

    assert (200, {"revision": 0}) == (status, json.loads(body))


def test_an_added_route_asks_for_a_signature_as_all_do() -> None:
    """No package above the server can forget the check."""
    status, _ = answer_of(Config(api_port=0, xds_port=0, insecure=True, credentials={"AKIAONE": "right"}))

    assert 403 == status
