"""What people come to the console for, done with keys alone, by the names that a screen reader says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.appmesh.kinds import weighted_targets
from tests.e2e.local.conftest import PROJECT, SHOPMESH, Up, starting
from tests.support.console_browser import Tab, Tabs
from tests.support.process import eventually, running
from tests.support.refusals import mend, refuse

PRODUCT = "product.default.svc.cluster.local"
NAMES: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
IN_THE_MAP = re.compile("^(outside|order|customer|product), ")
MOST_TABS = 60
HAS_FOCUS = "element => element === document.activeElement"
HAVE_FOCUS = "elements => elements.includes(document.activeElement)"
IS_MARKED = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
}"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The demo under load, in which Envoy can be made to refuse something."""
    with starting(tmp_path_factory.mktemp("up"), "--allow-patch") as up:
        up.wait()
        load = (*SHOPMESH, "load", f"http://127.0.0.1:{up.port}/", "--rate", "40", "--for", "10m")
        with running(load, up.environment, PROJECT):
            yield up


@pytest.fixture
def tab(chromium: Any, mesh: Up) -> Iterator[Tab]:
    """The first page, as the link opens it; all requests go to product 1.0."""
    spec = mesh.client.appmesh.describe_route(**NAMES)["route"]["spec"]
    for target, weight in zip(weighted_targets(spec), (100, 0), strict=True):
        target["weight"] = weight
    mesh.client.appmesh.update_route(**NAMES, spec=spec)
    tabs = Tabs(chromium, mesh.client.console_link)
    tab = tabs.open()
    tab.page.get_by_role("heading", name="Mesh").wait_for()
    yield tab
    assert [] == tabs.close()


def weights(mesh: Up) -> list[int]:
    return [one["weight"] for one in weighted_targets(mesh.client.appmesh.describe_route(**NAMES)["route"]["spec"])]


def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        tab.page.keyboard.press(key)


def tab_to(tab: Tab, role: str, name: Any) -> None:
    """Tab until the element with this name has the focus, and shows it."""
    wanted = tab.page.get_by_role(role, name=name, exact=isinstance(name, str))
    wanted.first.wait_for()
    for _ in range(MOST_TABS):
        press(tab, "Tab")
        if wanted.evaluate_all(HAVE_FOCUS):
            assert tab.page.evaluate(IS_MARKED), f"the focus cannot be seen at {role} {name}"
            return
    raise AssertionError(f"Tab does not lead to {role} {name}")


def enter(tab: Tab, role: str, name: Any) -> None:
    tab_to(tab, role, name)
    press(tab, "Enter")


def has_focus(tab: Tab, element: Any) -> None:
    """The focus went where the page changed, and is not lost."""
    eventually(lambda: element.evaluate(HAS_FOCUS), f"the focus is at {element}")


def open_product(tab: Tab) -> None:
    """The page of its route, from the header."""
    enter(tab, "link", "Traffic")
    tab.page.get_by_role("heading", name="Traffic").wait_for()
    has_focus(tab, tab.page.get_by_role("main"))
    enter(tab, "link", "product")
    tab.page.get_by_role("slider", name="Weight of 1.0").wait_for()


def test_which_version_gets_what_is_read_from_the_map(tab: Tab) -> None:
    """Tab reaches the map, arrows go from box to box, Enter says all about one, Escape goes back."""
    box = tab.page.get_by_role("button", name="product, service")
    box.wait_for()
    tab_to(tab, "button", IN_THE_MAP)
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowDown"):
        if not box.evaluate(HAS_FOCUS):
            press(tab, key)
    has_focus(tab, box)
    press(tab, "Enter")
    about = tab.page.get_by_role("complementary", name="About product")
    has_focus(tab, about.get_by_role("heading", name="product"))

    eventually(lambda: "target 100 %, seen 100 %" in about.inner_text(), "the share of 1.0 in words")
    assert "target 0 %" in about.inner_text()
    press(tab, "Escape")
    eventually(lambda: about.count() == 0, "it is closed")
    has_focus(tab, box)


def test_which_proxy_refused_what_is_read_after_the_header(tab: Tab, mesh: Up) -> None:
    """The header counts what needs attention; the page says it in Envoy's words, and leads to the proxy."""
    refuse(mesh.client, "order-vn")
    try:
        enter(tab, "link", "Proxies 1 need attention")
        refusals = tab.page.get_by_role("alert", name="Refusals")
        refusals.wait_for()
        assert "order-vn-1 clusters" in refusals.inner_text()
        assert "ConnectTimeout" in refusals.inner_text()
        enter(tab, "link", "order-vn-1")
        tab.page.get_by_role("heading", name="Envoy refused its clusters").wait_for()
        assert "ConnectTimeout" in tab.page.get_by_role("alert").inner_text()
    finally:
        mend(mesh.client, "order-vn")


def test_half_is_moved_and_taken_back(tab: Tab, mesh: Up) -> None:
    """Page keys move by ten, Enter applies and undoes, and the focus is where the answer is."""
    open_product(tab)
    tab_to(tab, "slider", "Weight of 1.0")
    press(tab, *["PageDown"] * 5, "ArrowLeft", "ArrowRight")
    tab.page.get_by_text("New: 1.0 gets 50 %, 2.0 gets 50 %").wait_for()
    for keys, value in ((("End",), "100"), (("Home",), "0"), (("PageUp",) * 5, "50")):
        press(tab, *keys)
        assert value == tab.page.get_by_role("slider", name="Weight of 1.0").input_value()
    enter(tab, "button", "Apply")

    last = tab.page.get_by_role("region", name="The last change from here")
    has_focus(tab, last)
    eventually(lambda: "confirmed it" in last.get_by_role("status").inner_text(), "all proxies have it")
    assert [50, 50] == weights(mesh)
    seen = tab.page.get_by_role("row", name="2.0 product-v2-vn").locator(".share-figure")
    eventually(lambda: 35 < float(seen.inner_text().removesuffix(" %")) < 65, "half is seen", 30)

    enter(tab, "button", "Undo")
    eventually(lambda: "undone" in last.inner_text(), "it is undone")
    has_focus(tab, last)
    assert [100, 0] == weights(mesh)
    tab.page.get_by_role("button", name="Apply again").wait_for()


def test_a_canary_is_started_and_stopped(tab: Tab, mesh: Up) -> None:
    """The focus goes into the form, then to what the form became, and is kept when the buttons are gone."""
    open_product(tab)
    card = tab.page.get_by_role("region", name="Canary", exact=True)
    enter(tab, "button", "Start a canary …")
    has_focus(tab, card)
    enter(tab, "button", "Start")
    eventually(lambda: "running at 5 %" in card.inner_text(), "it runs")
    has_focus(tab, card)
    enter(tab, "button", "Pause")
    eventually(lambda: "paused at 5 %" in card.inner_text(), "it is paused")
    has_focus(tab, card.get_by_role("button", name="Continue"))
    enter(tab, "button", "Roll back")

    eventually(lambda: "rolled back" in card.inner_text(), "it is rolled back")
    has_focus(tab, card)
    assert "by hand, in the console" in card.inner_text()
    assert [100, 0] == weights(mesh)
