"""The map of 200 services: namespaces as boxes, a filter, one service with its neighbours."""

from __future__ import annotations

import pytest

from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs
from tests.support.console_meshes import MESH, NAMESPACES, host, layered_mesh
from tests.support.process import eventually

SERVICES = 200
ALL = f"#/mesh?mesh={MESH}&group=no"


@pytest.fixture(scope="module", autouse=True)
def mesh(shared_server: ConsoleServer) -> None:
    with shared_server.client() as client:
        client.requests(layered_mesh(SERVICES))


def boxes(tab: Tab, kind: str) -> int:
    return int(tab.page.locator(f".mesh-box.{kind}").count())


def shows(tab: Tab, kind: str, count: int) -> None:
    eventually(lambda: boxes(tab, kind) == count, f"{count} boxes, a {kind} each")


def test_many_services_begin_as_namespaces_and_each_opens(console_alone: Tabs) -> None:
    tab = console_alone.open()
    shows(tab, "group", len(NAMESPACES))
    tab.page.locator(".mesh-box.group", has_text="billing").click()

    shows(tab, "group", len(NAMESPACES) - 1)
    shows(tab, "service", SERVICES // len(NAMESPACES))
    tab.wait_for_address("open=billing")
    tab.page.get_by_role("button", name="Remove: namespace billing").click()
    shows(tab, "group", len(NAMESPACES))


def test_all_services_can_be_shown(console_alone: Tabs) -> None:
    tab = console_alone.open(ALL)

    shows(tab, "service", SERVICES)


def test_a_filter_by_name_or_namespace_is_part_of_the_link(console_alone: Tabs) -> None:
    tab = console_alone.open(ALL)
    shows(tab, "service", SERVICES)
    tab.page.get_by_label("Filter services by name or namespace").fill("s19")
    shows(tab, "service", 11)
    tab.page.get_by_label("Filter services by name or namespace").fill("media")
    shows(tab, "service", SERVICES // len(NAMESPACES))
    tab.wait_for_address("q=media")

    tab.page.get_by_label("Filter services by name or namespace").fill("no such name")
    tab.page.get_by_text("Nothing matches the filter").wait_for()
    tab.page.get_by_role("button", name="Show all").click()
    shows(tab, "service", SERVICES)


def test_what_is_wrong_and_what_has_traffic_are_filters(console_alone: Tabs) -> None:
    """Here no proxy runs, so all is wrong and nothing has traffic."""
    tab = console_alone.open(ALL)
    tab.page.get_by_role("button", name="Needs attention").click()
    shows(tab, "service", SERVICES)
    tab.page.get_by_role("button", name="With traffic").click()
    tab.page.get_by_text("Nothing matches the filter").wait_for()


def test_a_service_has_the_findings_of_its_own_route_alone(console_alone: Tabs) -> None:
    """Routes of other routers have the same name, and the same mistake."""
    tab = console_alone.open(f"{ALL}&box=service/{host(5)}")
    findings = tab.page.get_by_role("complementary").get_by_text("SM106")
    findings.first.wait_for()

    assert 1 == findings.count()


def test_one_service_with_its_neighbours(console_alone: Tabs) -> None:
    """Who calls it and whom it calls, and nothing else; a link to it shows the same."""
    tab = console_alone.open(f"{ALL}&box=service/{host(40)}")
    tab.page.get_by_role("button", name="Only neighbours").click()
    eventually(lambda: 0 < boxes(tab, "service") < 20, "the neighbours")
    count = boxes(tab, "service")
    links = tab.page.locator(".mesh-panel-links a").count()

    assert links + 1 == count
    again = console_alone.open(tab.page.evaluate("location.hash"))
    shows(again, "service", count)
    again.page.get_by_role("button", name="Show all again").click()
    shows(again, "service", SERVICES)
