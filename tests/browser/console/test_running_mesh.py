"""Proxies, findings and changes of a running mesh: live, as Envoy and `aws` make them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.local.access import AccessFiles
from tests.e2e.local.conftest import Up, processes_of, starting
from tests.support.access import environment_of
from tests.support.certificates import Authority
from tests.support.console_browser import Tab, Tabs
from tests.support.process import BIN, eventually
from tests.support.refusals import MARKUP, mend, refuse

ORDER = "#/proxies?proxy=virtualNode/order-vn/order-vn-1"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The demo, with patches allowed, since only they lead to a refusal by Envoy, and certificates from `keys`."""
    folder = tmp_path_factory.mktemp("up")
    (folder / "keys").mkdir()
    with starting(folder, "--allow-patch", "--certificate-folder", str(folder / "keys")) as found:
        found.wait()
        yield found


@pytest.fixture
def tabs(chromium: Any, mesh: Up) -> Iterator[Tabs]:
    opened = Tabs(chromium, mesh.client.console_link)
    yield opened
    assert [] == opened.close()


def run(mesh: Up, *command: str) -> None:
    """Runs a command as the mesh's users do."""
    environment = {**os.environ, **environment_of(mesh.run_folder, mesh.api_port), "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run([str(BIN / command[0]), *command[1:]], env=environment, capture_output=True, timeout=60)
    assert 0 == done.returncode, done.stderr


def row(tab: Tab, proxy: str) -> Any:
    return tab.page.locator("tbody tr").filter(has_text=proxy)


def test_a_change_by_aws_appears_with_its_author_and_its_time(tabs: Tabs, mesh: Up) -> None:
    """Without a reload: who, through which door, which resource, and how long until all proxies had it."""
    tab = tabs.open("#/changes")
    tab.page.get_by_role("heading", name="Changes").wait_for()
    spec = (
        '{"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": '
        '[{"virtualNode": "product-vn", "weight": 60}, {"virtualNode": "product-v2-vn", "weight": 40}]}}}'
    )
    names = ("--mesh-name", "shopmesh", "--virtual-router-name", "product-vr", "--route-name", "product-r")
    address = f"http://127.0.0.1:{mesh.api_port}"
    run(mesh, "aws", "--endpoint-url", address, "appmesh", "update-route", *names, "--spec", spec)

    first = tab.page.locator("tbody tr").first
    eventually(lambda: "product-vr/product-r" in first.inner_text() and " ms" in first.inner_text(), "the change")
    assert AccessFiles(mesh.run_folder).credentials().access_key in first.inner_text()
    assert "API" in first.inner_text()
    first.get_by_role("link").first.click()
    tab.page.get_by_role("heading", name="Revision").wait_for()
    details = tab.page.locator(".changes-detail")
    assert "order-vn-1" in details.inner_text()
    eventually(lambda: "revision=" in tab.page.evaluate("location.hash"), "the link holds the revision")
    details.get_by_role("link", name="route product-vr/product-r").click()
    tab.page.get_by_role("heading", name="route product-vr/product-r").wait_for()


def test_a_refusal_of_envoy_is_loud_and_ends_when_it_is_mended(tabs: Tabs, mesh: Up) -> None:
    """Its own words on the table, on the proxy's page and among its answers; the header counts it."""
    tab = tabs.open("#/proxies")
    refuse(mesh.client, "order-vn")

    refusals = tab.page.get_by_label("Refusals")
    refusals.wait_for()
    assert "ConnectTimeout" in refusals.inner_text()
    assert "NACK: clusters" in row(tab, "order-vn-1").inner_text()
    assert "1" in tab.page.get_by_role("link", name="Proxies").inner_text()
    refusals.get_by_role("link", name="order-vn-1").click()
    answers = tab.page.get_by_role("region", name="Last answers", exact=True)
    eventually(lambda: "ConnectTimeout" in answers.inner_text(), "the answer")

    tab.page.get_by_role("region", name="Configuration").locator("summary").first.click()
    tab.page.get_by_text(MARKUP).first.wait_for()
    assert 0 == tab.page.locator("main img").count()

    mend(mesh.client, "order-vn")
    tab.page.get_by_text("It has acknowledged all that it was sent.").wait_for()
    assert 0 == tab.page.get_by_role("alert").count()
    assert "ConnectTimeout" in answers.inner_text()


def test_the_configuration_is_read_searched_and_compared(tabs: Tabs, mesh: Up) -> None:
    """As it was sent; the one before shows what a change came to in Envoy."""
    tab = tabs.open(f"{ORDER}&type=routes")
    configuration = tab.page.get_by_role("region", name="Configuration")
    configuration.locator("summary").first.wait_for()
    tab.page.get_by_label("Search in the configuration").fill("product-v2-vn")
    configuration.locator("mark").first.wait_for()

    assert "product-v2-vn" == configuration.locator("mark").first.inner_text()
    eventually(lambda: "find=product-v2-vn" in tab.page.evaluate("location.hash"), "the link holds what is searched")
    assert "shopmesh proxy-config order-vn-1 routes -o yaml" in configuration.inner_text()
    run(mesh, "shopmesh", "route", "product", "product-vn=30", "product-v2-vn=70")
    configuration.get_by_role("button", name="Difference").click()
    added = configuration.locator(".diff-added")
    eventually(lambda: any("70" in text for text in added.all_inner_texts()), "the new weight")


def test_a_sidecar_that_dies_is_seen_and_so_is_its_return(tabs: Tabs, mesh: Up) -> None:
    """`shopmesh up` starts it again; the page needs no reload for either."""
    tab = tabs.open("#/proxies")
    row(tab, "product-v2-vn-1").wait_for()
    commands = {command: pid for pid, command in processes_of(mesh.run_folder) if "--config-path" in command}
    sidecar = next(pid for command, pid in commands.items() if "product-v2-vn-1" in command)
    # Its restart takes less time than the page needs to show its end, so the supervisor is held meanwhile.
    os.kill(mesh.child.process.pid, signal.SIGSTOP)
    try:
        os.kill(sidecar, signal.SIGKILL)
        eventually(lambda: "not connected" in row(tab, "product-v2-vn-1").inner_text(), "it is gone", 30)
    finally:
        os.kill(mesh.child.process.pid, signal.SIGCONT)
    eventually(lambda: "in sync" in row(tab, "product-v2-vn-1").inner_text(), "it is back", 60)


def test_a_finding_says_why_and_what_to_do_and_leads_to_its_resource(tabs: Tabs, mesh: Up) -> None:
    """It appears when the mistake is made, is found by its severity, and goes with it."""
    tab = tabs.open("#/findings")
    tab.page.get_by_role("heading", name="Findings").wait_for()
    spec = {"backends": [{"virtualService": {"virtualServiceName": "nowhere.default"}}]}
    names = {"meshName": "shopmesh", "virtualNodeName": "mistaken"}
    mesh.client.requests([{"operation": "CreateVirtualNode", "parameters": {**names, "spec": spec}}])

    finding = tab.page.locator(".finding").filter(has_text="nowhere.default")
    finding.wait_for()
    assert "What to do" in finding.inner_text()
    assert "docs/doctor.md" in finding.inner_text()
    tab.page.get_by_label("Filter findings").fill("nowhere")
    eventually(lambda: "filter=nowhere" in tab.page.evaluate("location.hash"), "the link holds the filter")
    finding.get_by_role("link", name="virtual node mistaken").click()
    tab.page.get_by_role("heading", name="virtual node mistaken").wait_for()
    # Not before the page of the node is left: it would ask for it once more, and chromium complain of the answer.
    tab.page.go_back()
    finding.wait_for()
    mesh.client.requests([{"operation": "DeleteVirtualNode", "parameters": names}])
    eventually(lambda: finding.count() == 0, "it is gone")


PAGES = (
    "#/mesh",
    "#/traffic",
    "#/resources",
    "#/resources?resource=virtualNode/customer-v15-vn",
    "#/resources?resource=virtualNode/customer-v15-vn&view=json",
    "#/resources?resource=virtualNode/customer-v15-vn&edit=yes",
    "#/findings",
    "#/changes",
    "#/proxies",
    *(
        f"#/proxies?proxy=virtualNode/customer-v15-vn/customer-v15-vn-1&type={kind}&show={view}"
        for kind in ("clusters", "endpoints", "listeners", "routes", "secrets")
        for view in ("sent", "former", "difference")
    ),
)


def test_no_page_and_no_answer_holds_a_private_key(tabs: Tabs, mesh: Up) -> None:
    """Of a proxy that has one: its page shows the secret's name and the names of its files."""
    pair = Authority(mesh.run_folder.parent / "keys").issue("customer.default.svc.cluster.local")
    names = {"meshName": "shopmesh", "virtualNodeName": "customer-v15-vn"}
    spec = mesh.client.appmesh.describe_virtual_node(**names)["virtualNode"]["spec"]
    tls = {"mode": "PERMISSIVE", "certificate": pair.document()}
    listeners = [{**spec["listeners"][0], "tls": tls}]
    mesh.client.requests(
        [{"operation": "UpdateVirtualNode", "parameters": {**names, "spec": {**spec, "listeners": listeners}}}]
    )
    tab = tabs.open()
    tab.allowed.append("404")
    answers: list[Any] = []
    tab.page.on("response", lambda answer: answers.append(answer))
    found: list[str] = []
    for address in PAGES:
        tab.show(address)
        tab.page.locator("main h1").wait_for()
        tab.page.wait_for_function("() => document.querySelector('.loading') === null")
        found.append(tab.page.content())
    tab.show(f"{PAGES[-1].partition('&')[0]}&type=secrets")
    eventually(lambda: pair.key.name in tab.page.content(), "the page of the secret")
    found.append(tab.page.content())
    stream = "Object.values(module.state.collections).map(({ value }) => [...value])"
    found.append(json.dumps(tab.module("data/live.js", stream)))
    found += [one.text() for one in answers if "/live" not in one.url and one.status == 200]

    line = pair.key.read_text().splitlines()[1]
    assert len(found) > len(PAGES)
    assert [] == [text[:200] for text in found if "PRIVATE KEY" in text or line in text]
