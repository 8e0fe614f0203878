"""The page Traffic over a control plane without proxies: weights that are no percentages, and read-only consoles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.client import Client
from shopmesh.console import Mode
from tests.support.canaries import NAMES, ROUTE, build, spec, take_down
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs
from tests.support.process import eventually

PAGE = "#/traffic?mesh=shop&route=product-vr/product-r"


@pytest.fixture
def client(shared_server: ConsoleServer) -> Iterator[Client]:
    """Of a mesh with one route, v1 100 and v2 0.

    Tests name it before their tabs, which are closed first then: a page that is open while its route is deleted asks
    for it again, and chromium complains of the answer.
    """
    with shared_server.client() as found:
        build(found)
        yield found
        take_down(found)


def sliders(tab: Tab) -> list[Any]:
    tab.page.get_by_role("slider").first.wait_for()
    return list(tab.page.get_by_role("slider").all())


def weights(client: Client) -> dict[str, int]:
    found = client.appmesh.describe_route(**NAMES)["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    return {target["virtualNode"]: target["weight"] for target in found}


def test_weights_that_are_no_percentages_are_shown_as_shares(client: Client, console_alone: Tabs) -> None:
    """The page says so; nothing is written until somebody moves one, and then percentages are."""
    client.appmesh.update_route(**NAMES, spec=spec(v1=3, v2=1))
    tab = console_alone.open(PAGE)

    assert ["75", "25"] == [slider.input_value() for slider in sliders(tab)]
    tab.page.get_by_text("The weights of this route are 3 : 1, together 4.").wait_for()
    sliders(tab)[0].press("ArrowLeft")
    tab.page.get_by_role("button", name="Apply").click()

    eventually(lambda: weights(client) == {"v1": 74, "v2": 26}, "percentages are written")


@pytest.fixture
def third(client: Client) -> Iterator[Client]:
    """With a third virtual node, v3."""
    client.appmesh.create_virtual_node(meshName="shop", virtualNodeName="v3", spec={})
    yield client
    client.appmesh.update_route(**NAMES, spec=spec(v1=100, v2=0))
    client.appmesh.delete_virtual_node(meshName="shop", virtualNodeName="v3")


def test_three_versions_stay_at_100_together(third: Client, console_alone: Tabs) -> None:
    """While one is moved the others keep their proportions, also when it was at 100 in between."""
    third.appmesh.update_route(**NAMES, spec=spec(v1=50, v2=30, v3=20))
    tab = console_alone.open(PAGE)

    for key, values in (("End", ["100", "0", "0"]), ("Home", ["0", "60", "40"]), ("PageUp", ["10", "54", "36"])):
        sliders(tab)[0].press(key)
        assert values == [slider.input_value() for slider in sliders(tab)]


def test_a_canary_of_a_service_that_nothing_calls_cannot_be_started(client: Client, console_alone: Tabs) -> None:
    tab = console_alone.open(PAGE)

    tab.page.get_by_text("Nothing in the mesh calls this service").wait_for()
    assert 0 == tab.page.get_by_role("button", name="Start a canary …").count()


def test_a_canary_that_expired_repeats_its_stage_in_the_console(client: Client, console_alone: Tabs) -> None:
    """From then on the control plane judges it."""
    client.start_canary(ROUTE, "product", {"to": "v2", "steps": [25], "every": "1h"}, "a command", 1.0)
    tab = console_alone.open(PAGE)
    tab.page.get_by_role("button", name="Repeat the stage").click()

    eventually(lambda: client.canary(ROUTE)["phase"] == "running", "it runs again")
    assert "control-plane" == client.canary(ROUTE)["owner"]
    tab.page.get_by_role("button", name="Roll back").click()
    eventually(lambda: weights(client) == {"v1": 100, "v2": 0}, "it is rolled back")


def test_a_read_only_console_shows_weights_and_moves_none(chromium: Any) -> None:
    """Sliders and fields are disabled with the reason, and there is no button that writes."""
    with ConsoleServer(Mode.READ_ONLY) as server, server.client() as client:
        build(client)
        client.start_canary(ROUTE, "product", {"to": "v2", "steps": [25], "every": "1h"}, "control-plane", 60.0)
        tabs = Tabs(chromium, server.link)
        tab = tabs.open(PAGE)

        for slider in sliders(tab):
            assert slider.is_disabled()
            reason = tab.page.locator(f"[id='{slider.get_attribute('aria-describedby')}']").inner_text()
            assert "This console is read-only" in reason
        tab.page.get_by_text("running at 25 %").first.wait_for()
        for name in ("Apply", "Even", "Pause", "Roll back", "Promote to 100 %"):
            assert 0 == tab.page.get_by_role("button", name=name).count()
        assert [] == tabs.close()


def test_an_address_of_no_route_says_so(client: Client, console_alone: Tabs) -> None:
    console_alone.open("#/traffic?mesh=shop&route=product-vr/gone").page.get_by_text(
        "There is no such route"
    ).wait_for()
