"""Pages that have nothing to show, may not write, or show one of several meshes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.client import apply
from shopmesh.console import Mode
from shopmesh.documents import documents
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tabs
from tests.support.process import eventually, free_port
from tests.support.small_mesh import MESH

OTHER = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: {name: other}\nspec: {}\n"


@pytest.fixture(scope="module")
def looking(chromium: Any) -> Iterator[Tabs]:
    """Tabs of a console that only shows."""
    with ConsoleServer(Mode.READ_ONLY, now=time.time()) as server:
        with server.client() as client:
            apply(client, documents(MESH, "mesh.yaml"))
            apply(client, documents(OTHER, "mesh.yaml"))
        tabs = Tabs(chromium, server.link)
        yield tabs
        assert [] == tabs.close()


@pytest.mark.parametrize("more", ["mesh=shop", "mesh=shop&resource=route/web/all", "create=virtualNode"])
def test_a_console_that_only_shows_offers_no_change(looking: Tabs, more: str) -> None:
    """Neither by a button nor by a link to the editor."""
    tab = looking.open(f"#/resources?{more}&edit=yes")
    tab.page.get_by_role("heading", name="Resources").wait_for()
    tab.page.locator("table, pre").first.wait_for()

    buttons = tab.page.locator("main").get_by_role("button").all_inner_texts()
    assert set() == {"Edit", "Delete", "Create", "Check", "Apply"} & {text.strip() for text in buttons}
    assert 0 == tab.page.locator("textarea").count()


def test_each_mesh_has_its_own_resources_and_changes(looking: Tabs) -> None:
    """The choice goes along to other pages."""
    tab = looking.open("#/resources?mesh=shop")
    kinds = tab.page.locator("tbody td:first-child")
    eventually(lambda: kinds.count() == 5, "the resources of one mesh")
    tab.page.get_by_label("Mesh", exact=True).select_option("other")
    eventually(lambda: ["mesh"] == kinds.all_inner_texts(), "those of the other")

    tab.page.get_by_role("link", name="Changes").click()
    rows = tab.page.locator("tbody tr")
    eventually(lambda: rows.count() == 1 and "mesh other" in rows.inner_text(), "the changes of the other")


@pytest.mark.parametrize(
    ("page", "text"),
    [("proxies", "No proxy is connected"), ("findings", "No findings"), ("changes?filter=xyz", "xyz")],
)
def test_a_page_without_anything_says_so(looking: Tabs, page: str, text: str) -> None:
    tab = looking.open(f"#/{page}{'&' if '?' in page else '?'}mesh=other")

    tab.page.locator(".state-title", has_text=text).wait_for()


def test_a_page_outlives_its_control_plane_and_goes_on_with_the_next(chromium: Any) -> None:
    """What it showed stays, marked as old; a change on the control plane that follows appears without a reload."""
    port = free_port()
    with ConsoleServer(port=port, now=time.time()) as server:
        with server.client() as client:
            apply(client, documents(MESH, "mesh.yaml"))
        tabs = Tabs(chromium, server.link)
        tab = tabs.open("#/resources?mesh=shop&kind=virtualNode")
        names = tab.page.locator("tbody td:nth-child(2)")
        eventually(lambda: ["one"] == names.all_inner_texts(), "the node")
    tab.allowed += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "Failed to load", "ERR_"]
    tab.page.locator(".connection .badge.bad, .connection .badge.warn").wait_for()
    assert ["one"] == names.all_inner_texts()

    with ConsoleServer(port=port, now=time.time()) as again, again.client() as client:
        apply(client, documents(MESH.replace("name: one", "name: two").replace("awsName: one", "awsName: two"), "m"))
        eventually(lambda: ["two"] == names.all_inner_texts(), "the node of the next one", 60)
    assert [] == tabs.close()
