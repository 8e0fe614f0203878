"""The console over a real server, and what a browser does with it: it keeps cookies, and says which page asks."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any, Self

from botocore.credentials import Credentials

from shopmesh.client import Client
from shopmesh.console import Mode, WebConsole
from shopmesh.server.config import Config
from shopmesh.server.control_plane import serving_control_plane
from tests.support.http_answers import Answer
from tests.support.process import eventually

KEYS = {"AKIAONE": "first secret", "AKIATWO": "second secret"}
OWN_PAGE = {"sec-fetch-site": "same-origin"}
"""The header by which a browser says that a request is from the console's own page."""
SESSION, STATE = "/console/session", "/console/api/shopmesh/v1/proxies"


@dataclass
class Browser:
    """One browser that shows the console of a port of this machine.

    `host` is what its address line says, by default 127.0.0.1 and the port.
    """

    port: int
    host: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    page_token: str | None = None

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """A request of the console's own page; a header of None is left out."""
        sent: dict[str, str | None] = {"host": self.host or f"127.0.0.1:{self.port}", **OWN_PAGE}
        if self.page_token is not None:
            sent["x-shopmesh-console"] = self.page_token
        # A browser sends a cookie by its path, whatever the port.
        if self.cookies and path.startswith("/console/"):
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        content = None if body is None else json.dumps(body)
        if content is not None:
            sent["content-type"] = "application/json"
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, {name: one for name, one in sent.items() if one is not None})
            answer = Answer.read(connection.getresponse())
        finally:
            connection.close()
        self._keep_cookie(answer)
        return answer

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def sign_in(self, link: str) -> Answer:
        """What the page does with the code of a link."""
        answer = self.request("POST", "/console/sign-in", {"code": code_of(link)})
        if answer.status == 200:
            self.page_token = answer.json["pageToken"]
        return answer

    def _keep_cookie(self, answer: Answer) -> None:
        for name, morsel in SimpleCookie(answer.headers.get("set-cookie", "")).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def code_of(link: str) -> str:
    return link.partition("#code=")[2]


class ConsoleServer:
    """A control plane with a console, in a loop of its own, whose clock a test can set forward."""

    def __init__(
        self,
        mode: Mode = Mode.ON,
        credentials: Mapping[str, str] | None = None,
        hosts: tuple[str, ...] = (),
        port: int = 0,
        now: float = 1_800_000_000.0,
    ) -> None:
        """Without `credentials` those of KEYS are needed; empty ones: none are."""
        self.now = now
        self.port = port
        self._keys = KEYS if credentials is None else credentials
        self._config = Config(api_port=port, xds_port=0, credentials=self._keys, insecure=True)
        self._console = WebConsole(mode, hosts, lambda: self.now)
        self._listening = threading.Event()

    async def _serve(self) -> None:
        async with serving_control_plane(self._config, self._console.routes, self._console.front) as bound:
            self.port = bound.api_port
            self._listening.set()
            await self._end.wait()

    def __enter__(self) -> Self:
        self._loop, self._end = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        eventually(self._listening.is_set, "the API listens")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)
        self._loop.close()

    def client(self, key: str = "AKIAONE") -> Client:
        """A client that signs with one of the keys."""
        return Client(f"http://127.0.0.1:{self.port}", credentials=Credentials(key, self._keys.get(key, "none")))

    def link(self, seconds: float = 60.0, key: str = "AKIAONE") -> str:
        """What `shopmesh console` prints."""
        with self.client(key) as client:
            return client.console_link(seconds)

    def browser(self, signed_in: bool = True) -> Browser:
        """A browser, signed in unless it should not be."""
        browser = Browser(self.port)
        if signed_in:
            assert 200 == browser.sign_in(self.link()).status
        return browser
