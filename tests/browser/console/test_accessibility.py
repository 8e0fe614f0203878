"""Every page by the rules of axe: what a screen reader needs, contrast, names, landmarks and headings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.local.conftest import PROJECT, SHOPMESH, Up, starting
from tests.support.console_browser import SIZES, Tab, Tabs
from tests.support.faults import fault
from tests.support.process import running
from tests.support.refusals import refuse

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="`make test-browser` installs axe")

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
PRODUCT = "product.default.svc.cluster.local"
CUSTOMER = "customer.default.svc.cluster.local"
NODE = "resource=virtualNode/product-v2-vn"
PAGES = {
    "mesh": f"#/mesh?box=service/{PRODUCT}",
    "mesh as a table": f"#/mesh?view=table&box=service/{PRODUCT}",
    "traffic": "#/traffic",
    "a route": f"#/traffic?service={PRODUCT}",
    "resources": "#/resources",
    "a resource": f"#/resources?{NODE}",
    "its JSON": f"#/resources?{NODE}&view=json",
    "its editor": f"#/resources?{NODE}&edit=yes",
    "proxies": "#/proxies",
    "a proxy": "#/proxies?proxy=virtualNode/product-v2-vn/product-v2-vn-1",
    "findings": "#/findings",
    "changes": "#/changes",
    "a change": "#/changes?revision=1",
}
ON_PHONES = ("mesh", "traffic", "a route", "a proxy")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The demo under load, with all that pages mark: a refusal, a finding, failed requests, a running canary."""
    with starting(tmp_path_factory.mktemp("up"), "--allow-patch") as up:
        up.wait()
        refuse(up.client, "order-vn")
        # In a thread, because playwright's loop runs in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: fault(up.run_folder, "product-v2-vn-1", errorShare=0.5)).result()
        spec = {"backends": [{"virtualService": {"virtualServiceName": "nowhere.default"}}]}
        names = {"meshName": "shopmesh", "virtualNodeName": "mistaken"}
        up.client.requests([{"operation": "CreateVirtualNode", "parameters": {**names, "spec": spec}}])
        plan = {"to": "product-v2-vn", "steps": [25, 50], "every": "1h", "maxErrorRate": "99%"}
        up.client.start_canary(("shopmesh", "product-vr", "product-r"), PRODUCT, plan, "control-plane", 60.0)
        load = (*SHOPMESH, "load", f"http://127.0.0.1:{up.port}/", "--rate", "20", "--for", "10m")
        with running(load, up.environment, PROJECT):
            yield up


@pytest.fixture(scope="module")
def tab(chromium: Any, mesh: Up) -> Iterator[Tab]:
    """One tab, for all pages one after another."""
    tabs = Tabs(chromium, mesh.client.console_link)
    yield tabs.open()
    assert [] == tabs.close()


def violations(tab: Tab, only: dict[str, Any]) -> list[str]:
    """What axe finds, each with the elements that it finds it at."""
    found = axe.Axe().run(tab.page, options={"runOnly": only, "resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['html']} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


def violations_in_both_themes(tab: Tab) -> list[str]:
    """In the dark only the contrast can be another."""
    found = []
    contrast = {"type": "rule", "values": ["color-contrast"]}
    for scheme, only in (("light", {"type": "tag", "values": TAGS}), ("dark", contrast)):
        tab.page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {one}" for one in violations(tab, only)]
    return found


def show(tab: Tab, address: str) -> None:
    tab.show(address)
    tab.page.locator("main h1").wait_for()
    tab.page.wait_for_function("() => document.querySelector('.loading') === null")


@pytest.mark.parametrize(
    ("page", "size"), [*((page, "desk") for page in PAGES), *((page, "phone") for page in ON_PHONES)]
)
def test_a_page_violates_no_rule_of_accessibility(tab: Tab, page: str, size: str) -> None:
    tab.page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    show(tab, PAGES[page])

    assert [] == violations_in_both_themes(tab)


@pytest.mark.parametrize(
    ("page", "button"),
    [
        (f"#/traffic?service={CUSTOMER}", "Even"),
        (f"#/traffic?service={CUSTOMER}", "Start a canary …"),
        (f"#/resources?{NODE}", "Delete"),
    ],
)
def test_neither_does_what_a_button_opens(tab: Tab, page: str, button: str) -> None:
    tab.page.set_viewport_size(dict(zip(("width", "height"), SIZES["desk"], strict=True)))
    show(tab, page)
    tab.page.get_by_role("button", name=button, exact=True).first.click()

    assert [] == violations_in_both_themes(tab)
    tab.page.get_by_role("button", name="Cancel", exact=True).click()


def test_the_page_that_says_how_to_sign_in_violates_none(console_alone: Tabs) -> None:
    tab = console_alone.open(signed_in=False)
    tab.allowed.append("401")
    tab.page.get_by_role("heading").first.wait_for()

    assert [] == violations_in_both_themes(tab)
