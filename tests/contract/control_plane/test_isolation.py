"""A web page of another site reaches no route, with signatures or without."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from shopmesh.server import control_plane
from shopmesh.server.config import Config
from shopmesh.server.http.server import serve_http
from tests.support.process import eventually

HOSTILE = {
    "DNS rebinding": ({"host": "evil.example:9080"}, 421),
    "a loopback name within another": ({"host": "127.0.0.1.evil.example"}, 421),
    "every address": ({"host": "0.0.0.0"}, 421),
    "another origin": ({"origin": "http://evil.example"}, 403),
    "a sandboxed frame": ({"origin": "null"}, 403),
    "another port of this machine": ({"sec-fetch-site": "same-site"}, 403),
    "another site": ({"sec-fetch-site": "cross-site"}, 403),
    "a simple request": ({"content-type": "text/plain"}, 415),
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, 415),
}


class Running:
    """A control plane in a thread of this process: its port, and the application around all of its routes."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.port = 0
        self.applications: list[Any] = []
        self._config = Config(api_port=0, xds_port=0, credentials=credentials, insecure=True)
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with control_plane.serving_control_plane(self._config) as bound:
            self.port = bound.api_port
            await self._end.wait()

    def __enter__(self) -> Running:
        self._thread.start()
        eventually(lambda: self.port, "the API listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)
        self._loop.close()

    def requests(self) -> Iterator[tuple[str, str]]:
        """Every route with every method that it may have, and one path that has none."""
        [application] = self.applications
        while not isinstance(application, Starlette):
            application = application.app
        for route in application.routes:
            assert isinstance(route, Route)
            path = re.sub(r"{[^}]*:int}", "1", route.path)
            for method in sorted(route.methods or {"GET", "PUT", "POST", "DELETE", "OPTIONS"}):
                yield method, re.sub(r"{[^}]*}", "x", path)
        yield "GET", "/no/such/path"

    def send(self, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            text = response.read()
            assert response.getheader("access-control-allow-origin") is None
            return response.status, json.loads(text) if text else {}
        finally:
            connection.close()


@pytest.fixture(scope="module", params=[{}, {"AKIAONE": "secret"}], ids=["open", "signed"])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """With and without signatures; what serves the application is listened to, to know all of its routes."""
    found = Running(request.param)
    serve = serve_http

    @asynccontextmanager
    async def recorded(app: Any, *arguments: Any) -> AsyncIterator[None]:
        found.applications.append(app)
        async with serve(app, *arguments):
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control_plane, "serve_http", recorded)
        with found:
            yield found


@pytest.mark.parametrize(("headers", "status"), HOSTILE.values(), ids=HOSTILE)
def test_no_route_answers_a_page_of_another_site(running: Running, headers: Mapping[str, str], status: int) -> None:
    """Host, origin and kind of body are looked at first, on every route, whatever it is for."""
    asked = list(running.requests())

    assert len(asked) > 20
    assert [] == [
        (method, path, answered)
        for method, path in asked
        if (answered := running.send(method, path, headers, body="{}")[0]) != status
    ]


def test_the_refusal_of_a_host_names_the_option(running: Running) -> None:
    """Whoever put a proxy or a name before the control plane reads how to add it."""
    status, said = running.send("GET", "/healthz", {"host": "mesh.example"})

    assert 421 == status
    assert "mesh.example" in said["message"]
    assert "--api-host" in said["message"]


@pytest.mark.parametrize(
    "target", ["http://evil.example/healthz", "http://127.0.0.1/healthz", "//evil.example/healthz"]
)
def test_a_target_that_names_a_host_of_its_own_is_not_served(running: Running, target: str) -> None:
    """Only its path counts, and a full URL is none."""
    assert running.send("GET", target, {"host": "127.0.0.1"})[0] in (400, 403, 404)


@pytest.mark.parametrize(
    ("heads", "status"),
    [
        (b"", 400),
        (b"Host: 127.0.0.1\r\nHost: evil.example\r\n", 400),
        (b"Host:\r\n", 400),
        (b"Host: user@127.0.0.1\r\n", 400),
        (b"Host: LocalHost.:80\r\n", 200),
    ],
)
def test_one_sound_host_is_needed(running: Running, heads: bytes, status: int) -> None:
    """None, two, and what is none are the client's mistake."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + heads + b"\r\n")
        answer = connection.makefile("rb").readline()

    assert str(status).encode() == answer.split()[1]


@pytest.mark.parametrize("path", ["/shopmesh/v1/requests", "/shopmesh/v1/canaries"])
def test_a_page_s_simple_request_changes_nothing(running: Running, path: str) -> None:
    """It is the one that a browser sends without asking: text, from another site."""
    body = json.dumps({"requests": [{"operation": "CreateMesh", "parameters": {"meshName": "taken"}}]})
    origin = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    for headers in ({"content-type": "text/plain"}, origin, {"content-type": "text/plain", **origin}):
        assert running.send("POST", path, headers, body)[0] in (403, 415)


def test_a_page_of_the_control_plane_itself_passes(running: Running) -> None:
    """A console that it serves may ask it, as far as it can sign."""
    headers = {"origin": f"http://127.0.0.1:{running.port}", "sec-fetch-site": "same-origin"}
    assert 200 == running.send("GET", "/healthz", headers)[0]


def test_a_name_that_was_added_is_answered() -> None:
    """--api-host is what the refusal names."""
    config = Config(api_hosts=["Mesh.Example"], insecure=True)
    assert config.allowed_hosts().allows("mesh.example", None)
