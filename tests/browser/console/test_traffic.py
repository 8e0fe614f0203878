"""The page Traffic over the demo's mesh under load: weights moved, undone and refused, and canaries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shopmesh.appmesh.kinds import weighted_targets
from tests.e2e.local.conftest import PROJECT, SHOPMESH, Up
from tests.support.console_browser import Tab, Tabs, wait
from tests.support.faults import fault
from tests.support.process import Child, eventually, running

SERVICE = "product.default.svc.cluster.local"
PAGE = f"#/traffic?mesh=shopmesh&service={SERVICE}"
NAMES: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
KEY = ("shopmesh", "product-vr", "product-r")


@pytest.fixture(scope="module")
def load(shared_up: Up) -> Iterator[Child]:
    """Forty requests a second."""
    command = (*SHOPMESH, "load", f"http://127.0.0.1:{shared_up.port}/", "--rate", "40", "--for", "20m")
    with running(command, shared_up.environment, PROJECT) as child:
        yield child


@pytest.fixture
def up(shared_up: Up, load: Child) -> Up:
    """All requests go to product 1.0, and no canary runs."""
    set_faults(shared_up)
    set_weights(shared_up, 100, 0)
    return shared_up


@pytest.fixture
def tab(console: Tabs, up: Up) -> Tab:
    """The page of product's route."""
    tab = console.open(PAGE)
    tab.page.get_by_role("slider").first.wait_for()
    return tab


def set_faults(up: Up, **faults: float) -> None:
    """What product 2.0 does wrong from now on. In a thread, because playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: fault(up.run_folder, "product-v2-vn-1", **faults)).result()


def route_of(up: Up) -> Any:
    return up.client.appmesh.describe_route(**NAMES)["route"]


def weights(up: Up) -> list[int]:
    return [target["weight"] for target in weighted_targets(route_of(up)["spec"])]


def set_weights(up: Up, *wanted: int) -> None:
    """As another client does it."""
    spec = route_of(up)["spec"]
    for target, weight in zip(weighted_targets(spec), wanted, strict=True):
        target["weight"] = weight
    up.client.appmesh.update_route(**NAMES, spec=spec)


def slider(tab: Tab, version: str) -> Any:
    return tab.page.get_by_role("slider", name=f"Weight of {version}", exact=True)


def press(tab: Tab, button: str) -> None:
    tab.page.get_by_role("button", name=button, exact=True).click()


def seen_share(tab: Tab, version: str) -> float:
    """The seen share in the row of a version, 0 to 100; ValueError while there is none."""
    row = tab.page.locator(".traffic-shares tbody tr", has=tab.page.locator(".traffic-who", has_text=version))
    return float(row.locator(".share-figure").inner_text().removesuffix(" %"))


def applied(tab: Tab) -> str:
    return str(tab.page.get_by_label("The last change from here").inner_text())


def test_the_seen_share_follows_a_slider(tab: Tab, up: Up) -> None:
    """The other weight follows at once; only Apply sends it; then the last ACK is timed, and the figures move."""
    before = route_of(up)

    slider(tab, "2.0").fill("40")

    assert "60" == slider(tab, "1.0").input_value()
    assert [100, 0] == weights(up)
    press(tab, "Apply")
    eventually(lambda: "applied" in applied(tab), "it is applied")
    eventually(lambda: re.search(r"confirmed it: ACK after [\d.,]+ ms", applied(tab)), "its ACK is timed")
    eventually(lambda: 25 < seen_share(tab, "2.0") < 55 and 45 < seen_share(tab, "1.0") < 75, "the shares move", 30)
    after = route_of(up)
    assert [60, 40] == weights(up)
    assert before["metadata"]["version"] + 1 == after["metadata"]["version"]
    for spec in (before["spec"], after["spec"]):
        for target in weighted_targets(spec):
            target["weight"] = 0
    assert before["spec"] == after["spec"], "match, retries and time-outs are as before"


def test_the_change_is_shown_in_each_form_before_it_is_made(tab: Tab, up: Up) -> None:
    """Difference of the manifest, API call, `aws` and `shopmesh` commands; what is typed as a number counts as well."""
    number = tab.page.get_by_role("spinbutton", name="Weight of 2.0, in per cent")
    number.fill("25")
    number.press("Tab")
    shown = {}
    for form in ("Manifest", "API call", "aws", "shopmesh"):
        if form != "Manifest":
            tab.page.locator("summary", has_text=re.compile(f"^{form}$")).click()
        shown[form] = tab.page.locator("details[open] pre").inner_text()

    assert re.search(r"-\s*removed:\s*weight: 100\s*\+\s*added:\s*weight: 75", shown["Manifest"])
    assert "PUT /v20190125/meshes/shopmesh/virtualRouter/product-vr/routes/product-r" in shown["API call"]
    assert '"maxRetries": 1' in shown["API call"], "the whole specification"
    assert shown["aws"].startswith("aws appmesh update-route --cli-input-json '{")
    assert "product-vn=75 product-v2-vn=25" in shown["shopmesh"]
    press(tab, "Reset")
    assert "100" == slider(tab, "1.0").input_value()
    assert [100, 0] == weights(up)


def test_what_is_typed_stays_while_figures_arrive(tab: Tab, up: Up) -> None:
    """A weight is a proposal as soon as it is typed, digit by digit and however slowly."""
    number = tab.page.get_by_role("spinbutton", name="Weight of 2.0, in per cent")

    def at() -> float:
        return float(tab.module("data/live.js", "module.state.at.value"))

    number.click()
    for key, wanted in (("Control+a", "0"), ("Backspace", ""), ("5", "5"), ("0", "50")):
        number.press(key)
        before = at()
        wait(tab, lambda before=before: at() > before + 1, "other figures have arrived")
        assert wanted == number.input_value()

    assert "50" == slider(tab, "1.0").input_value()
    assert tab.page.get_by_role("button", name="Apply").is_enabled()
    number.fill("250")
    number.blur()
    wait(tab, lambda: number.input_value() == "100", "the field shows what was taken")


def test_undo_takes_one_click(tab: Tab, up: Up) -> None:
    """And can be undone as well, also after another page was looked at."""
    press(tab, "All to 2.0")
    press(tab, "Apply")
    eventually(lambda: weights(up) == [0, 100], "it is applied")
    tab.show("#/changes")
    tab.show(PAGE)

    press(tab, "Undo")

    eventually(lambda: weights(up) == [100, 0], "it is undone")
    eventually(lambda: "undone" in applied(tab), "the page says so")
    eventually(lambda: slider(tab, "1.0").input_value() == "100", "the slider is back")
    press(tab, "Apply again")
    eventually(lambda: weights(up) == [0, 100], "it is applied again")


def test_a_change_of_an_outdated_version_is_refused(tab: Tab, up: Up) -> None:
    """Both versions are shown, theirs stays, and one's own can be proposed again for theirs."""
    tab.allowed.append("409")
    press(tab, "Even")
    set_weights(up, 90, 10)
    tab.page.get_by_text("Somebody else has changed the route").wait_for()

    press(tab, "Apply")

    dialog = tab.page.get_by_role("dialog")
    dialog.wait_for()
    text = dialog.inner_text()
    assert "Nothing was written" in text
    assert "product-vn 50, product-v2-vn 50" in text
    assert "product-vn 90, product-v2-vn 10" in text
    assert [90, 10] == weights(up)
    press(tab, "Propose my weights again")
    assert [90, 10] == weights(up), "nothing is written yet"
    press(tab, "Apply")
    eventually(lambda: weights(up) == [50, 50], "it is applied to what they wrote")


def test_undo_is_refused_after_somebody_else_wrote(tab: Tab, up: Up) -> None:
    tab.allowed.append("409")
    press(tab, "Even")
    press(tab, "Apply")
    eventually(lambda: weights(up) == [50, 50], "it is applied")
    set_weights(up, 30, 70)
    eventually(lambda: "changed again since" in applied(tab), "the page says so")

    press(tab, "Undo")

    tab.page.get_by_role("dialog", name="Not undone: somebody else wrote the route meanwhile").wait_for()
    assert [30, 70] == weights(up)
    press(tab, "Take theirs")
    eventually(lambda: slider(tab, "2.0").input_value() == "70", "theirs is shown")


def test_a_change_by_another_client_appears_by_itself(tab: Tab, up: Up) -> None:
    set_weights(up, 15, 85)

    eventually(lambda: slider(tab, "2.0").input_value() == "85", "the slider moves")


def start_canary(tab: Tab, **fields: str) -> None:
    press(tab, "Start a canary …")
    for name, value in {"steps": "20, 50", "minRequests": "20", **fields}.items():
        tab.page.locator(f"input[name={name}]").fill(value)
    press(tab, "Start")


def canary_of(tab: Tab) -> str:
    return str(tab.page.get_by_label("Canary", exact=True).inner_text())


def test_a_canary_is_watched_paused_and_rolled_back(tab: Tab, up: Up) -> None:
    """Its stages, its verdict and the counts behind it; Continue and Promote as well."""
    start_canary(tab, every="600")

    eventually(lambda: "running at 20 %" in canary_of(tab), "it runs")
    assert [80, 20] == weights(up)
    eventually(lambda: re.search(r"\d+ of 600 s", canary_of(tab)), "its requests are enough, and its time is not", 30)
    assert re.search(r"canary product-v2-vn\s+\d\d+\s+0\s+0 %", canary_of(tab)), "the counts behind it"
    press(tab, "Pause")
    eventually(lambda: "paused at 20 %" in canary_of(tab), "it is paused")
    press(tab, "Continue")
    eventually(lambda: "running at 20 %" in canary_of(tab), "it goes on")
    press(tab, "Promote to 50 %")
    eventually(lambda: weights(up) == [50, 50], "it is promoted")
    eventually(lambda: "running at 50 %" in canary_of(tab), "the page says so")
    press(tab, "Roll back")

    eventually(lambda: weights(up) == [100, 0], "it is rolled back")
    eventually(lambda: "by hand, in the console" in canary_of(tab), "the page says so")
    assert ["20 %", "50 %"] == [past["stage"] for past in up.client.canary(KEY)["history"]]


def test_a_canary_needs_no_open_page(tab: Tab, up: Up) -> None:
    """The control plane takes it to all requests after the page is closed."""
    start_canary(tab, every="2")
    # The form says as well that the page can be closed, once the control plane has the canary.
    eventually(lambda: "running at" in canary_of(tab), "it runs")
    tab.page.close()

    eventually(lambda: up.client.canary(KEY)["phase"] == "promoted", "it is promoted", 60)
    assert [0, 100] == weights(up)


def test_a_bad_canary_is_seen_to_be_rolled_back(tab: Tab, up: Up) -> None:
    """With the reason, and the counts of the stage in which it failed."""
    set_faults(up, errorShare=0.5)
    start_canary(tab, every="600")

    # One of before was rolled back as well, and the verdict says what failed a moment earlier.
    eventually(lambda: re.search("rolled back.*requests failed", canary_of(tab), re.DOTALL), "it is rolled back", 60)
    assert [100, 0] == weights(up)


def test_a_canary_that_ends_before_its_start_is_answered_leaves_no_form(tab: Tab, up: Up) -> None:
    """The live stream has both first."""
    answered: list[tuple[Any, Any]] = []
    tab.page.route("**/shopmesh/v1/canaries", lambda route: answered.append((route, route.fetch())))
    start_canary(tab, every="600")
    eventually(lambda: "running at 20 %" in canary_of(tab), "it runs")
    up.client.canary(KEY, "roll back", reason="by hand, elsewhere")

    eventually(lambda: "by hand, elsewhere" in canary_of(tab), "the page says why it ended")
    wait(tab, lambda: answered, "the start was answered")
    [(request, answer)] = answered
    request.fulfill(response=answer)
    tab.page.get_by_role("button", name="Start a canary …").wait_for()


def test_a_plan_that_is_refused_says_why(tab: Tab, up: Up) -> None:
    tab.allowed.append("400")
    start_canary(tab, steps="50, 20", every="2")

    tab.page.get_by_text("are not steps: write whole weights that rise").wait_for()
    assert [100, 0] == weights(up)


def test_the_plots_say_in_words_what_they_show(tab: Tab, up: Up) -> None:
    """For those who do not see them; the past is there at once."""
    plots = tab.page.locator(".traffic-plots")
    plots.wait_for()

    eventually(lambda: "1.0: target 100 %, seen 100 %" in str(plots.get_attribute("aria-label")), "the summary", 20)
    assert 4 == tab.page.locator(".traffic-plot canvas").count()


def test_the_list_has_target_beside_seen_share(console: Tabs, up: Up) -> None:
    """Of every version, by its own name; the running canary is there as well."""
    set_weights(up, 50, 50)
    tab = console.open("#/traffic")
    row = tab.page.locator(".traffic-list tbody tr", has_text="product-vn")

    eventually(lambda: "50 %" in row.inner_text(), "the target")
    eventually(lambda: re.search(r"2\.0 product-v2-vn", row.inner_text()), "the version")
    eventually(lambda: row.locator(".share.agrees").count() == 2, "the seen share agrees", 30)


def test_it_fits_on_a_phone(console: Tabs, up: Up) -> None:
    tab = console.open("#/traffic", size="phone")
    tab.page.get_by_role("link", name="product", exact=True).click()
    slider(tab, "2.0").wait_for()
    press(tab, "Even")
    tab.page.get_by_role("region", name="Manifest").wait_for()

    assert 0 == tab.overflow()
