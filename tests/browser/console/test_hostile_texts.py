"""Names, tags and headers that were made up to harm those who look at them: they are texts, and stay in place."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.console import ConsoleServer
from tests.support.console_browser import Tabs

MARKUP = "<img src=x onerror=alert(1)>"
OVERRIDE = "gpj\u202eexe"
ENDLESS = "n" * 200
SCRIPT = "</script><script>alert(1)<\\script>"
MESH = "shop"


def node(name: str, text: str) -> dict[str, Any]:
    spec = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}
    tags = [{"key": f"team-{text[:40]}", "value": text[:200]}]
    return {
        "operation": "CreateVirtualNode",
        "parameters": {"meshName": MESH, "virtualNodeName": name, "spec": spec, "tags": tags},
    }


def hostile_mesh() -> list[dict[str, Any]]:
    """A mesh whose names, tags and headers are all of that kind."""
    match = {"prefix": "/", "headers": [{"name": "x-any", "match": {"exact": MARKUP}}]}
    action = {"weightedTargets": [{"virtualNode": OVERRIDE, "weight": 1}]}
    router = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}
    route = {"httpRoute": {"match": match, "action": action}}
    names = {"meshName": MESH, "virtualRouterName": ENDLESS}
    return [
        {"operation": "CreateMesh", "parameters": {"meshName": MESH}},
        node(MARKUP, SCRIPT),
        node(OVERRIDE, OVERRIDE),
        node(ENDLESS, ENDLESS),
        {"operation": "CreateVirtualRouter", "parameters": {**names, "spec": router}},
        {"operation": "CreateRoute", "parameters": {**names, "routeName": MARKUP, "spec": route}},
    ]


@pytest.fixture(scope="module", autouse=True)
def mesh(shared_server: ConsoleServer) -> None:
    with shared_server.client() as client:
        client.requests(hostile_mesh())


ADDRESSES = {
    "mesh": "#/mesh",
    "traffic": "#/traffic",
    "resources": "#/resources?mesh=shop",
    "proxies": "#/proxies",
    "findings": "#/findings",
    "change": f"#/changes?revision=1&filter={quote(MARKUP)}",
    "direction": f"#/resources?mesh=shop&resource=virtualNode/{quote(OVERRIDE)}",
    "endless": f"#/resources?mesh=shop&resource=route/{ENDLESS}/{quote(MARKUP)}",
    "markup": f"#/resources?mesh=shop&resource=virtualNode/{quote(MARKUP)}",
}


@pytest.mark.parametrize("page", ADDRESSES)
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_hostile_texts_do_nothing(console_alone: Tabs, page: str, size: str) -> None:
    """No script runs, no picture is fetched, nothing makes the page wider than its window."""
    tab = console_alone.open(ADDRESSES[page], size=size)
    dialogs: list[str] = []

    def note(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    tab.page.on("dialog", note)
    tab.page.locator("main h1").wait_for()

    assert 0 == tab.page.locator("main img[src=x]").count()
    assert 0 == tab.overflow()
    assert [] == dialogs


def test_what_turns_the_direction_is_shown_as_what_it_is(console_alone: Tabs) -> None:
    """A name cannot look like another one."""
    tab = console_alone.open("#/resources?mesh=shop&kind=virtualNode")
    tab.page.locator("tbody tr").first.wait_for()

    texts = tab.page.locator("main").inner_text()
    assert "gpj\\u202eexe" in texts
    assert "\u202e" not in texts
