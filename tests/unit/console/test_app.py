"""What the routes see of a request that has passed the console's gate."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from shopmesh.console.app import ConsoleApp
from shopmesh.console.codes import wrong_code
from shopmesh.console.gate import Mode
from shopmesh.console.sign_in import SessionCookies
from shopmesh.server.api.author import Author, author_of


def seen_by_the_routes(raw_path: str, path: str, query: str) -> Scope:
    """The scope of a request of a page that is signed in."""
    found: list[Scope] = []

    async def routes(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    async def drop(_: Message) -> None:
        """Nobody reads the answer."""

    async def no_code(_: str) -> str:
        raise wrong_code()

    clock = lambda: 1_800_000_000.0  # noqa: E731
    cookies = SessionCookies({"AKIAONE": "secret"}, clock)
    issued = cookies.issue("AKIAONE")
    assert issued is not None
    scope: dict[str, Any] = {
        "type": "http",
        "scheme": "http",
        "method": "GET",
        "path": path,
        "raw_path": raw_path.encode(),
        "query_string": query.replace("TOKEN", issued.page_token).encode(),
        "headers": [
            (b"host", b"127.0.0.1:9080"),
            (b"sec-fetch-site", b"same-origin"),
            (b"accept", b"application/json"),
            (b"cookie", f"shopmesh-console-9080={issued.cookie}".encode()),
            (b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIATWO/x"),
            (b"x-shopmesh-forwarded", b"1"),
        ],
    }
    app = ConsoleApp(Mode.ON, cookies, no_code, routes, clock)
    asyncio.run(app(scope, nothing, drop))
    [inner] = found
    return inner


def test_the_routes_see_a_request_as_if_it_had_come_to_them() -> None:
    """By its path, decoded and as it came, and without anything that is only for the console."""
    inner = seen_by_the_routes(
        "/console/api/v20190125/meshes/a%2Fb", "/console/api/v20190125/meshes/a/b", "limit=1&page-token=TOKEN"
    )

    assert "/v20190125/meshes/a/b" == inner["path"]
    assert b"/v20190125/meshes/a%2Fb" == inner["raw_path"]
    assert b"limit=1" == inner["query_string"]
    assert [b"host", b"sec-fetch-site", b"accept"] == [name for name, _ in inner["headers"]]
    assert Author("AKIAONE", "console") == author_of(inner)


def test_the_prefix_is_taken_off_once() -> None:
    inner = seen_by_the_routes("/console/api/console/api/x", "/console/api/console/api/x", "page-token=TOKEN")

    assert ("/console/api/x", b"/console/api/x") == (inner["path"], inner["raw_path"])
