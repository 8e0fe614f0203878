"""What headers alone decide: whether a request may come from where it comes from."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shopmesh.appmesh.errors import ApiError, BadRequest, CrossSiteRequest, MisdirectedRequest, UnsupportedMediaType
from shopmesh.server.api.hosts import AllowedHosts
from shopmesh.server.api.isolation import IsolationMiddleware, check

Headers = list[tuple[str, str]]
HOST = ("host", "127.0.0.1:9080")
JSON = ("content-type", "application/json")
BODY = ("content-length", "2")


def scope(headers: Headers, path: bytes = b"/meshes", kind: str = "http") -> Any:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {
        "type": kind,
        "method": "POST",
        "path": path.decode(),
        "raw_path": path,
        "headers": raw,
        "server": ("127.0.0.1", 9080),
    }


def refusal(headers: Headers, path: bytes = b"/meshes") -> type[ApiError] | None:
    try:
        check(scope(headers, path), AllowedHosts.of(["mesh.example"]))
    except ApiError as refused:
        return type(refused)
    return None


@pytest.mark.parametrize(
    "headers",
    [
        [HOST],
        [HOST, JSON, BODY],
        [HOST, ("content-type", "Application/JSON; charset=utf-8"), BODY],
        [HOST, JSON, ("transfer-encoding", "chunked")],
        [HOST, ("content-length", "0")],
        [HOST, ("content-length", "0"), ("content-type", "text/plain")],
        [HOST, ("origin", "http://127.0.0.1:9080"), ("sec-fetch-site", "same-origin"), JSON, BODY],
        [HOST, ("sec-fetch-site", "none")],
        [("host", "localhost"), ("origin", "http://LOCALHOST:80")],
        [("host", "mesh.example"), ("origin", "https://mesh.example")],
        [("host", "[::1]:9080"), ("origin", "http://[::1]:9080")],
    ],
)
def test_clients_and_pages_of_the_same_origin_pass(headers: Headers) -> None:
    """boto3, `aws`, curl, an address typed into a browser, and a page that the control plane itself serves."""
    assert refusal(headers) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], BadRequest),
        ([HOST, HOST], BadRequest),
        ([("host", "")], BadRequest),
        ([("host", "127.0.0.1:9080, evil.example")], BadRequest),
        ([("host", "evil.example:9080")], MisdirectedRequest),
        ([("host", "evil.example"), ("origin", "http://evil.example")], MisdirectedRequest),
        ([HOST, ("origin", "null")], CrossSiteRequest),
        ([HOST, ("origin", "")], CrossSiteRequest),
        ([HOST, ("origin", "http://evil.example")], CrossSiteRequest),
        ([HOST, ("origin", "http://127.0.0.1")], CrossSiteRequest),
        ([HOST, ("origin", "http://127.0.0.1:8080")], CrossSiteRequest),
        ([HOST, ("origin", "http://localhost:9080")], CrossSiteRequest),
        ([HOST, ("origin", "file://")], CrossSiteRequest),
        ([HOST, ("origin", "http://127.0.0.1:9080"), ("origin", "http://evil.example")], CrossSiteRequest),
        ([HOST, ("origin", "http://127.0.0.1:9080"), ("sec-fetch-site", "same-site")], CrossSiteRequest),
        ([HOST, ("sec-fetch-site", "cross-site")], CrossSiteRequest),
        ([HOST, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], CrossSiteRequest),
        ([HOST, ("sec-fetch-site", "something new")], CrossSiteRequest),
        ([HOST, BODY], UnsupportedMediaType),
        ([HOST, BODY, ("content-type", "text/plain")], UnsupportedMediaType),
        ([HOST, BODY, ("content-type", "application/x-www-form-urlencoded")], UnsupportedMediaType),
        ([HOST, BODY, ("content-type", "multipart/form-data; boundary=x")], UnsupportedMediaType),
        ([HOST, BODY, ("content-type", "text/plain; application/json")], UnsupportedMediaType),
        ([HOST, BODY, JSON, ("content-type", "text/plain")], UnsupportedMediaType),
        ([HOST, ("transfer-encoding", "chunked")], UnsupportedMediaType),
        ([HOST, ("content-length", "0"), ("transfer-encoding", "chunked")], UnsupportedMediaType),
    ],
)
def test_everything_else_is_refused(headers: Headers, expected: type[ApiError]) -> None:
    """Other hosts, other sites, other ports, and each body that a page could send without asking first."""
    assert expected is refusal(headers)


def test_a_full_url_as_target_is_refused() -> None:
    """It names a host of its own, which no Host header speaks for."""
    assert BadRequest is refusal([HOST], b"http://evil.example/meshes")


@pytest.mark.parametrize(("kind", "expected"), [("http", "http.response.start"), ("websocket", "websocket.close")])
def test_the_body_of_a_refused_request_is_not_read(kind: str, expected: str) -> None:
    """What is refused for its headers costs no more than its headers."""
    sent: list[Any] = []

    async def application(*_: Any) -> None:
        raise AssertionError("the application was reached")

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    isolated = IsolationMiddleware(application, AllowedHosts())
    asyncio.run(isolated(scope([("host", "evil.example"), JSON, BODY], kind=kind), receive, send))

    assert expected == sent[0]["type"]
