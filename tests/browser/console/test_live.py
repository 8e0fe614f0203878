"""The live stream in chromium: one connection for all tabs of a browser, none for hidden ones, and back in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.client import Client
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs, wait
from tests.support.process import free_port

LIVE = "/shopmesh/v1/live"
RESOURCES = ("Failed to load resource", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING")
"""What chromium itself writes when a control plane has ended."""
LOCKS = "navigator.locks.query().then(({ held }) => held.length)"


@pytest.fixture
def client(shared_server: ConsoleServer) -> Iterator[Client]:
    with shared_server.client() as found:
        yield found


class Connections:
    """The connections of a browser to the stream, one of which is open when counting begins."""

    def __init__(self, context: Any) -> None:
        self.opened, self.closed = 1, 0
        context.on("request", self._on_request)
        for event in ("requestfailed", "requestfinished"):
            context.on(event, self._on_end)

    @property
    def open(self) -> int:
        return self.opened - self.closed

    def _on_request(self, request: Any) -> None:
        self.opened += LIVE in request.url

    def _on_end(self, request: Any) -> None:
        self.closed += LIVE in request.url


def meshes(tab: Tab) -> set[str]:
    """The names of the meshes that a tab knows."""
    return set(tab.module("data/live.js", "[...module.state.collections.meshes.value.keys()]"))


def connection(tab: Tab) -> str:
    return str(tab.module("data/live.js", "module.connection.value"))


def hide(tab: Tab, hidden: bool = True) -> None:
    """A browser without a window hides no tab, so the page is made to see itself as one that is."""
    tab.page.evaluate(
        """state => {
            Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        "hidden" if hidden else "visible",
    )


def test_twelve_tabs_share_one_connection(console_alone: Tabs, client: Client) -> None:
    """Browsers open six to one origin. When the tab that has it is closed, another one takes its place."""
    client.appmesh.create_mesh(meshName="before")
    first = console_alone.open()
    connections = Connections(first.page.context)
    tabs = [first, *(console_alone.open(context=first.page.context) for _ in range(11))]
    client.appmesh.create_mesh(meshName="shared")
    for tab in tabs:
        wait(tab, lambda tab=tab: {"before", "shared"} <= meshes(tab), "the change is in every tab")
    assert 1 == connections.opened

    first.page.close()
    client.appmesh.create_mesh(meshName="after")
    for tab in tabs[1:]:
        wait(tab, lambda tab=tab: "after" in meshes(tab), "the next change is in every other tab")
    assert 2 == connections.opened


def test_hidden_tabs_have_no_connection(console_alone: Tabs, client: Client) -> None:
    """The tab that has it hands it to a visible one; without one it is closed, and a later one has what was missed."""
    one = console_alone.open()
    connections = Connections(one.page.context)
    two = console_alone.open(context=one.page.context)

    hide(one)
    wait(two, lambda: connections.opened == 2 and "live" == connection(two), "the visible tab opens its own")
    hide(two)
    wait(two, lambda: connections.open == 0, "no connection is open")
    client.appmesh.create_mesh(meshName="missed")
    hide(one, False)
    wait(one, lambda: "missed" in meshes(one), "the tab knows what it has missed")

    assert 3 == connections.opened
    assert "missed" not in meshes(two)


def test_a_page_resumes_after_the_control_plane_has_restarted(chromium: Any) -> None:
    """Meanwhile it says that what it shows is old; nobody has to sign in again."""
    port = free_port()
    with ConsoleServer(port=port) as server:
        tabs = Tabs(chromium, server.link)
        tab = tabs.open()
        tab.allowed += RESOURCES
    wait(tab, lambda: "stale" == connection(tab), "the tab says that what it shows may be old")
    with ConsoleServer(port=port) as again, again.client() as client:
        client.appmesh.create_mesh(meshName="again")
        wait(tab, lambda: {"again"} == meshes(tab) and "live" == connection(tab), "the tab shows the new state")

    assert [] == tabs.close()


def test_who_signs_out_in_one_tab_is_signed_out_in_all(console_alone: Tabs) -> None:
    """The stream ends as well."""
    one = console_alone.open()
    two = console_alone.open(context=one.page.context)
    one.module("data/session.js", "await module.signOut()")

    for tab in (one, two):
        wait(tab, lambda tab=tab: "signed-out" == connection(tab), "the tab says that nobody is signed in")


def test_a_removed_session_ends_the_stream_of_a_browser(console_alone: Tabs) -> None:
    """A new connection is refused, and the page says why instead of trying for ever."""
    tab = console_alone.open()
    tab.allowed += ("Failed to load resource",)
    tab.page.context.clear_cookies()
    hide(tab)
    wait(tab, lambda: 0 == tab.page.evaluate(LOCKS), "the hidden tab has given up its place")
    hide(tab, False)

    wait(tab, lambda: "signed-out" == connection(tab), "the tab says that nobody is signed in")


def test_an_event_changes_only_the_collections_that_it_names(console_alone: Tabs) -> None:
    """The others stay the same objects, so that nothing is drawn again; no name is special."""
    tab = console_alone.open()
    found = tab.module(
        "data/collections.js",
        """(() => {
            const all = module.apply(module.nothing(), JSON.parse(given[0]));
            const after = module.apply(all, JSON.parse(given[1]));
            return [[...all.nodes], [...after.nodes], after.routes === all.routes, after.nodes === all.nodes,
                    module.apply(module.nothing(), module.whole(after)).nodes.size, ({}).polluted === undefined];
        })()""",
        '{"collections": {"nodes": {"a": 1, "__proto__": {"polluted": 1}}, "unknown": {"x": 1}}}',
        '{"set": {"nodes": {"b": 2}}, "delete": {"nodes": ["a", "never there"], "flows": []}}',
    )

    assert [
        [["a", 1], ["__proto__", {"polluted": 1}]],
        [["__proto__", {"polluted": 1}], ["b", 2]],
        True,
        False,
        2,
        True,
    ] == found


def test_an_id_holds_its_parts(console_alone: Tabs) -> None:
    """As the control plane writes it."""
    tab = console_alone.open()
    found = tab.module(
        "data/collections.js", "[module.idOf(...given), module.partsOf(module.idOf(...given))]", "a/b", "ä *", ""
    )

    assert ["a%2Fb/%C3%A4%20*/", ["a/b", "ä *", ""]] == found
