"""Who uses keys alone does not begin again at the top when what had the focus is gone: the page has it then."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shopmesh.client import apply
from shopmesh.documents import documents
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs
from tests.support.process import eventually
from tests.support.small_mesh import MESH

NODE = "#/resources?mesh=shop&resource=virtualNode/one"
STEPS = {
    "an editor and back": (NODE, ["Edit", "Check", "Cancel"]),
    "a dialog and back": (NODE, ["Delete", "Cancel"]),
    "a new resource": ("#/resources?mesh=shop", ["Create", "Cancel"]),
    "older changes": ("#/changes?mesh=shop", ["Load older changes"]),
    "details of a change": ("#/changes?mesh=shop&revision=1", ["Close"]),
    "a list and one of it": ("#/resources?mesh=shop", ["one"]),
    "the map as a table": ("#/mesh?mesh=shop", ["As a table", "Map"]),
}
IN_THE_PAGE = "document.activeElement.closest('main, dialog') !== null"


@pytest.fixture(scope="module", autouse=True)
def mesh(shared_server: ConsoleServer) -> None:
    with shared_server.client() as client:
        apply(client, documents(MESH, "mesh.yaml"))


def press(tab: Tab, name: str) -> None:
    """A button or link of the page, by its key."""
    exactly = re.compile(f"^{re.escape(name)}$")
    page: Any = tab.page.locator("main")
    found = page.get_by_role("button", name=exactly).or_(page.get_by_role("link", name=exactly)).first
    found.focus()
    tab.page.keyboard.press("Enter")


@pytest.mark.parametrize("steps", STEPS)
def test_the_focus_stays_in_the_page(console_alone: Tabs, steps: str) -> None:
    """Also while what was pressed works, and when it is gone."""
    address, names = STEPS[steps]
    tab = console_alone.open(address)
    for name in names:
        press(tab, name)
        tab.page.wait_for_timeout(300)
        eventually(lambda: tab.page.evaluate(IN_THE_PAGE), f"the focus is in the page after {name}", 5)
