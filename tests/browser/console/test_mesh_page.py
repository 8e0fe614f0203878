"""The map over the demo's mesh: what runs, who gets which share, and whether the mesh obeys."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.e2e.local.conftest import Up, starting
from tests.support.console_browser import Tab, Tabs
from tests.support.process import eventually

SENSELESS = '{"cluster/cds_egress_*": {"connect_timeout": "0s"}}'
PLACES = """Object.fromEntries([...document.querySelectorAll('.mesh-box')].map(box =>
  [box.dataset.box, [box.style.left, box.style.top, box.style.width, box.style.height].join(' ')]))"""


@pytest.fixture(scope="module")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The demo's mesh with some traffic; patches are allowed, because one of them makes an Envoy refuse."""
    with starting(tmp_path_factory.mktemp("up"), "--allow-patch") as found:
        found.wait()
        ended = threading.Event()
        traffic = threading.Thread(target=_load, args=(found, ended))
        traffic.start()
        yield found
        ended.set()
        traffic.join()


def _load(up: Up, ended: threading.Event) -> None:
    """About 50 requests per second."""
    while not ended.wait(0.02):
        with suppress(OSError):
            up.get("/orders/1")


def box(tab: Tab, name: str) -> Any:
    """A service's box by the first part of its name, or another's by its ID."""
    return tab.page.locator(f'[data-box="{name}"], [data-box^="service/{name}."]')


def set_weights(up: Up, first: int, second: int) -> None:
    up.client.appmesh.update_route(
        meshName="shopmesh",
        virtualRouterName="product-vr",
        routeName="product-r",
        spec={
            "httpRoute": {
                "match": {"prefix": "/"},
                "action": {
                    "weightedTargets": [
                        {"virtualNode": "product-vn", "weight": first},
                        {"virtualNode": "product-v2-vn", "weight": second},
                    ]
                },
            }
        },
    )


def shares(tab: Tab, name: str) -> list[str]:
    """What the bars of a service say, one for each version."""
    found = box(tab, name).locator(".share").all()
    return [str(bar.get_attribute("aria-label")) for bar in found]


def seen(sentence: str) -> float:
    """The seen share in percent; LookupError while nothing is known."""
    found = re.search(r"seen ([0-9.]+) %", sentence)
    if found is None:
        raise LookupError(sentence)
    return float(found[1])


def test_services_stand_behind_their_callers_with_their_versions_inside(console: Tabs) -> None:
    tab = console.open()
    box(tab, "product").wait_for()

    assert ["1.0", "2.0"] == box(tab, "product").locator(".mesh-version").all_inner_texts()
    assert 0 == tab.page.get_by_role("button", name="outside").count()
    assert ["1.0", "1.5"] == box(tab, "customer").locator(".mesh-version").all_inner_texts()
    left = {name: box(tab, name).bounding_box()["x"] for name in ("outside", "order", "product", "customer")}
    assert left["outside"] < left["order"] < left["product"] == left["customer"]
    lines = " ".join(tab.page.locator(".mesh-edge title").all_text_contents())
    assert "order.default.svc.cluster.local → product.default.svc.cluster.local" in lines
    assert "outside → order.default.svc.cluster.local" in lines


def test_the_seen_share_follows_the_weights_and_no_box_moves(console: Tabs, shared_up: Up) -> None:
    """Half of the traffic goes to version 2: target, seen share and interval say so, without a reload."""
    set_weights(shared_up, 100, 0)
    tab = console.open()
    eventually(lambda: seen(shares(tab, "product")[0]) == 100.0, "all goes to version 1", 30)
    places = tab.page.evaluate(PLACES)

    set_weights(shared_up, 50, 50)

    eventually(lambda: 30 < seen(shares(tab, "product")[1]) < 70, "half goes to version 2", 30)
    eventually(lambda: all("95 % interval" in one for one in shares(tab, "product")), "intervals", 30)
    assert all(one.startswith("target 50 %") for one in shares(tab, "product"))
    assert re.search(r"\d/s", box(tab, "product").locator(".mesh-rate").inner_text())
    assert places == tab.page.evaluate(PLACES)


def test_a_box_reads_out_all_that_it_shows(console: Tabs) -> None:
    """Its name, what it is, and each version with its proxies and shares: a screen reader hears what others see."""
    tab = console.open()
    name = re.compile(r"^product, service .* 1\.0 target \d+ %, .* 1 proxy in sync 2\.0 target \d+ %")

    tab.page.get_by_role("button", name=name).wait_for()


def test_a_nack_is_loud_and_envoy_s_words_are_text(console: Tabs, shared_up: Up) -> None:
    """At the box, in the summary, in the navigation, and in the panel with Envoy's own text; gone when it is mended."""
    api = shared_up.client.appmesh
    arn = api.describe_virtual_node(meshName="shopmesh", virtualNodeName="order-vn")["virtualNode"]["metadata"]["arn"]
    tab = console.open()
    box(tab, "order").wait_for()

    api.tag_resource(resourceArn=arn, tags=[{"key": "shopmesh.dev/patch", "value": SENSELESS}])

    tab.page.locator(".mesh-box.refused").wait_for()
    assert "configuration refused" in box(tab, "order").inner_text()
    tab.page.locator(".mesh-summary .badge.bad").wait_for()
    assert "1 need attention" == tab.page.get_by_role("link", name="Proxies").locator(".alert-count").text_content()
    box(tab, "order").click()
    assert "ConnectTimeout" in tab.page.locator(".mesh-envoy-text").first.inner_text()
    assert "1 refused" in tab.page.locator(".mesh-panel").inner_text()

    api.untag_resource(resourceArn=arn, tagKeys=["shopmesh.dev/patch"])

    eventually(lambda: tab.page.locator(".mesh-box.refused").count() == 0, "the refusal is over", 20)


def test_the_map_works_by_keyboard(console: Tabs) -> None:
    """Arrows move between boxes, Enter opens the panel, Escape closes it and returns the focus; the link holds it."""
    tab = console.open()
    order = box(tab, "order")
    order.wait_for()
    focused = "document.activeElement.dataset.box ?? document.activeElement.tagName"
    order.focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowUp")
    upper = str(tab.page.evaluate(focused))
    tab.page.keyboard.press("ArrowDown")
    lower = str(tab.page.evaluate(focused))
    tab.page.keyboard.press("ArrowUp")

    assert upper == tab.page.evaluate(focused)
    assert {"service/product", "service/customer"} == {name.partition(".")[0] for name in (upper, lower)}
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("complementary").wait_for()
    eventually(lambda: "H2" == tab.page.evaluate(focused), "the panel has the focus")
    address = tab.page.evaluate("location.hash")
    tab.page.keyboard.press("Escape")
    eventually(lambda: 0 == tab.page.get_by_role("complementary").count(), "it is closed")
    assert upper == tab.page.evaluate(focused)

    again = console.open(address)
    again.page.get_by_role("complementary").wait_for()


def test_the_panel_tells_all_about_a_service(console: Tabs) -> None:
    """Shares of each route, versions with their proxies, callers, and the way to its traffic."""
    tab = console.open()
    box(tab, "product").click()
    panel = tab.page.get_by_role("complementary")

    for text in (
        "product.default.svc.cluster.local",
        "product-r",
        "product-v2-vn",
        "1 proxy in sync",
        "Called by",
    ):
        panel.get_by_text(text).filter(visible=True).first.wait_for()
    panel.get_by_role("link", name="order").click()
    tab.page.get_by_role("complementary", name="About order.default.svc.cluster.local").wait_for()
    box(tab, "product").click()
    panel.get_by_role("link", name="Traffic").click()
    tab.wait_for_address("#/traffic?mesh=shopmesh&service=product.default.svc.cluster.local")


def test_the_map_is_a_table_as_well(console: Tabs) -> None:
    """A row for each version, with all figures as text."""
    tab = console.open()
    tab.page.get_by_role("button", name="As a table").click()
    rows = tab.page.locator("tbody tr")
    product = rows.filter(has=tab.page.get_by_role("cell", name="2.0", exact=True))
    product.wait_for()

    assert 5 == rows.count()
    assert "order" in product.inner_text()
    tab.wait_for_address("view=table")


def test_on_a_phone_the_map_reads_from_top_to_bottom(console: Tabs) -> None:
    tab = console.open(size="phone")
    box(tab, "product").wait_for()
    top = {name: box(tab, name).bounding_box()["y"] for name in ("outside", "order", "product")}

    assert top["outside"] < top["order"] < top["product"]
    assert 0 == tab.overflow()
    assert 1 == tab.page.get_by_role("link", name="shopmesh", exact=True).count(), "the icon alone has a name as well"
    text = tab.page.locator(".mesh-version").first
    assert text.bounding_box()["height"] >= 9
