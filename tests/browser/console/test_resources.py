"""The page Resources: found, read, edited, created and deleted, and what somebody else wrote meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.client import apply
from shopmesh.documents import documents
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs, wait
from tests.support.process import eventually
from tests.support.small_mesh import MESH

ROUTE = "#/resources?mesh=shop&resource=route/web/all"
NODE = "#/resources?mesh=shop&resource=virtualNode/one"


@pytest.fixture(autouse=True)
def mesh(shared_server: ConsoleServer) -> None:
    """As the manifests say, whatever a test before has made of it."""
    with shared_server.client() as client:
        apply(client, documents(MESH, "mesh.yaml"))


def weight(shared_server: ConsoleServer) -> int:
    with shared_server.client() as client:
        found = client.appmesh.describe_route(meshName="shop", virtualRouterName="web", routeName="all")
    return found["route"]["spec"]["httpRoute"]["action"]["weightedTargets"][0]["weight"]


def set_weight(shared_server: ConsoleServer, value: int) -> None:
    with shared_server.client() as client:
        apply(client, documents(MESH.replace("weight: 50", f"weight: {value}"), "mesh.yaml"))


def editor(tab: Tab) -> Any:
    tab.page.get_by_role("button", name="Edit").click()
    return tab.page.get_by_label("Manifest", exact=True)


def replace(area: Any, old: str, new: str) -> None:
    area.fill(area.input_value().replace(old, new))


def check(tab: Tab) -> None:
    tab.page.get_by_role("button", name="Check").click()


def test_resources_are_found_by_kind_and_words_and_the_link_says_so(console_alone: Tabs) -> None:
    tab = console_alone.open("#/resources?mesh=shop")
    names = tab.page.locator("tbody tr td:nth-child(2)")
    tab.page.get_by_role("button", name="virtual node").click()
    tab.page.get_by_label("Filter Resources").fill("ONE http")

    eventually(lambda: ["one"] == names.all_inner_texts(), "the node alone")
    assert "kind=virtualNode" in tab.page.evaluate("location.hash")
    tab.page.reload()
    eventually(lambda: ["one"] == names.all_inner_texts(), "the same again")


def test_a_resource_leads_to_what_it_refers_to_and_back(console_alone: Tabs) -> None:
    tab = console_alone.open(ROUTE)
    beside = tab.page.get_by_label("Relations")
    beside.get_by_role("link", name="virtual node one").click()

    tab.page.get_by_role("heading", name="virtual node one").wait_for()
    assert "resource=virtualNode%2Fone" in tab.page.evaluate("location.hash")
    beside.get_by_role("link", name="route web/all").wait_for()
    tab.page.get_by_role("button", name="JSON of the API").click()
    assert '"virtualNodeName": "one"' in tab.page.get_by_role("region", name="JSON of the API").inner_text()


def test_a_mistake_is_shown_at_its_line_and_field(console_alone: Tabs, shared_server: ConsoleServer) -> None:
    """The line's number stands out, and choosing the mistake selects the line."""
    tab = console_alone.open(ROUTE)
    tab.allowed.append("400")
    area = editor(tab)
    replace(area, "weight: 50", "weight: 500")
    line = area.input_value().splitlines().index("          weight: 500") + 1
    check(tab)

    mistake = tab.page.locator(".resources-mistakes li")
    assert f"line {line}" in mistake.inner_text()
    assert "spec.routes[0].httpRoute.action.weightedTargets[0].weight" in mistake.inner_text()
    assert [str(line)] == tab.page.locator(".resources-numbers .bad").all_inner_texts()
    mistake.get_by_role("button").click()
    selected = "area => area.value.slice(area.selectionStart, area.selectionEnd)"
    eventually(lambda: "          weight: 500" == area.evaluate(selected), "the line is selected")
    assert tab.page.get_by_role("button", name="Apply").is_disabled()
    assert 50 == weight(shared_server)


def test_a_check_writes_nothing_and_applying_does(console_alone: Tabs, shared_server: ConsoleServer) -> None:
    """The difference is shown in between, and the page then shows the new version."""
    tab = console_alone.open(ROUTE)
    replace(editor(tab), "weight: 50", "weight: 20")
    check(tab)

    difference = tab.page.get_by_label("What changes")
    difference.wait_for()
    assert [
        "removed: " in line or "added: " in line
        for line in difference.locator(".diff-removed, .diff-added").all_inner_texts()
    ]
    assert "weight: 20" in difference.locator(".diff-added").last.inner_text()
    assert 50 == weight(shared_server)
    tab.page.get_by_role("button", name="Apply").click()
    tab.page.get_by_role("button", name="Edit").wait_for()
    assert 20 == weight(shared_server)
    eventually(lambda: "weight: 20" in tab.page.get_by_label("Manifest", exact=True).inner_text(), "the new manifest")


@pytest.mark.parametrize("written", ["before the check", "before it is applied"])
def test_what_somebody_else_wrote_meanwhile_is_shown_beside_mine(
    console_alone: Tabs, shared_server: ConsoleServer, written: str
) -> None:
    """Nothing is lost: theirs stays until mine is chosen on top of it."""
    tab = console_alone.open(ROUTE)
    tab.allowed.append("409")
    replace(editor(tab), "weight: 50", "weight: 20")
    if written == "before the check":
        set_weight(shared_server, 77)
        check(tab)
    else:
        check(tab)
        tab.page.get_by_role("heading", name="What would change").wait_for()
        set_weight(shared_server, 77)
        tab.page.get_by_role("button", name="Apply").click()

    both = tab.page.get_by_label("Theirs and yours")
    both.wait_for()
    assert "weight: 77" in both.locator(".diff-removed").inner_text()
    assert "weight: 20" in both.locator(".diff-added").inner_text()
    assert 77 == weight(shared_server)
    tab.page.get_by_role("button", name="Keep mine").click()
    check(tab)
    tab.page.get_by_role("button", name="Apply").click()
    eventually(lambda: weight(shared_server) == 20, "mine is written")


def test_theirs_can_be_taken_instead(console_alone: Tabs, shared_server: ConsoleServer) -> None:
    tab = console_alone.open(ROUTE)
    tab.allowed.append("409")
    area = editor(tab)
    replace(area, "weight: 50", "weight: 20")
    set_weight(shared_server, 77)
    check(tab)
    tab.page.get_by_role("button", name="Begin again with theirs").click()

    assert "weight: 77" in area.input_value()


def test_a_text_outlives_another_page(console_alone: Tabs) -> None:
    """Until it is cancelled."""
    tab = console_alone.open(NODE)
    replace(editor(tab), "port: 80", "port: 8123")
    tab.page.get_by_role("link", name="Findings").first.click()
    tab.page.get_by_role("heading", name="Findings").wait_for()
    tab.page.go_back()

    area = tab.page.get_by_label("Manifest", exact=True)
    eventually(lambda: "port: 8123" in area.input_value(), "the text is still there")
    tab.page.get_by_role("button", name="Cancel").click()
    assert "port: 8123" not in editor(tab).input_value()


def test_a_resource_is_created_from_the_smallest_manifest_of_its_kind(
    console_alone: Tabs, shared_server: ConsoleServer
) -> None:
    """Then its page is shown; deleting it asks for its name."""
    tab = console_alone.open("#/resources?mesh=shop&create=virtualNode")
    check(tab)
    tab.page.get_by_role("button", name="Apply").click()
    tab.page.get_by_role("heading", name="virtual node my-node").wait_for()

    tab.page.get_by_role("button", name="Delete").click()
    dialog = tab.page.get_by_role("dialog")
    delete = dialog.get_by_role("button", name="Delete")
    assert delete.is_disabled()
    dialog.get_by_label("Type its name to confirm").fill("my-node")
    delete.click()
    tab.page.get_by_role("heading", name="Resources", exact=True).wait_for()
    with shared_server.client() as client:
        nodes = client.appmesh.list_virtual_nodes(meshName="shop")["virtualNodes"]
    assert ["one"] == [node["virtualNodeName"] for node in nodes]


def test_a_deletion_that_is_answered_late_shows_no_error(console_alone: Tabs, shared_server: ConsoleServer) -> None:
    """The live stream has it first; the page stays until the answer, and then shows the list."""
    with shared_server.client() as client:
        client.appmesh.create_virtual_node(meshName="shop", virtualNodeName="late", spec={})
    tab = console_alone.open("#/resources?mesh=shop&resource=virtualNode/late")
    answered: list[tuple[Any, Any]] = []
    tab.page.route("**/shopmesh/v1/requests", lambda route: answered.append((route, route.fetch())))
    tab.page.get_by_role("button", name="Delete").click()
    tab.page.get_by_label("Type its name to confirm").fill("late")
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    nodes = "[...module.state.collections.nodes.value.keys()]"
    wait(tab, lambda: answered and "shop/late" not in tab.module("data/live.js", nodes), "the page knows of it")
    # Longer than a page waits before it asks again.
    tab.page.wait_for_timeout(1000)

    assert 0 == tab.page.get_by_text("does not exist").count()
    [(request, answer)] = answered
    request.fulfill(response=answer)
    tab.page.get_by_role("heading", name="Resources", exact=True).wait_for()


@pytest.mark.parametrize(
    "kind", ["mesh", "virtualNode", "virtualRouter", "virtualService", "virtualGateway", "gatewayRoute"]
)
def test_each_kind_begins_with_a_manifest_that_is_read(console_alone: Tabs, kind: str) -> None:
    """Together they are a mesh, so no reference of any leads nowhere."""
    tab = console_alone.open("#/resources?mesh=shop")
    texts = tab.module("pages/resources/templates.js", "module.TEMPLATES")
    needed = [text for name, text in texts.items() if name != "mesh"] if kind != "mesh" else [texts["mesh"]]
    tab.show(f"#/resources?mesh=shop&create={kind}")
    area = tab.page.get_by_label("Manifest", exact=True)
    eventually(lambda: area.input_value() == texts[kind], "the manifest of its kind")
    area.fill("---\n".join(needed))
    check(tab)

    tab.page.get_by_role("heading", name="What would change").wait_for()


def test_what_is_in_use_is_not_deleted_and_its_users_are_named(console_alone: Tabs) -> None:
    tab = console_alone.open(NODE)
    tab.allowed.append("409")
    tab.page.get_by_role("button", name="Delete").click()
    tab.page.get_by_label("Type its name to confirm").fill("one")
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    assert "route web/all" in tab.page.get_by_role("alert").inner_text()


def test_a_resource_that_is_gone_says_so(console_alone: Tabs) -> None:
    tab = console_alone.open("#/resources?mesh=shop&resource=virtualNode/gone")
    tab.allowed.append("404")

    tab.page.get_by_text("This virtual node does not exist").wait_for()


def test_what_is_typed_during_a_check_is_not_applied_unchecked(
    console_alone: Tabs, shared_server: ConsoleServer
) -> None:
    """The answer to an older text shows no plan."""
    tab = console_alone.open(ROUTE)
    area = editor(tab)
    asked: list[Any] = []
    tab.page.route("**/shopmesh/v1/manifests", lambda route: asked.append(route))
    replace(area, "weight: 50", "weight: 20")
    check(tab)
    eventually(lambda: len(asked) == 1, "the check is under way")
    replace(area, "weight: 20", "weight: 30")
    asked[0].continue_()
    apply_button = tab.page.get_by_role("button", name="Apply")
    eventually(lambda: tab.page.get_by_role("button", name="Check").is_enabled(), "it has been answered")

    assert apply_button.is_disabled()
    assert 0 == tab.page.get_by_role("heading", name="What would change").count()


def test_a_resource_that_is_deleted_during_an_edit_can_be_created_again(
    console_alone: Tabs, shared_server: ConsoleServer
) -> None:
    """The text stays, and says what happened when it is checked."""
    names = {"meshName": "shop", "virtualNodeName": "fleeting"}
    with shared_server.client() as client:
        client.requests([{"operation": "CreateVirtualNode", "parameters": {**names, "spec": {}}}])
        tab = console_alone.open("#/resources?mesh=shop&resource=virtualNode/fleeting")
        tab.allowed.append("404")
        area = editor(tab)
        client.appmesh.delete_virtual_node(**names)
        tab.page.get_by_label("Relations").wait_for(state="detached")
        assert "awsName: fleeting" in area.input_value()
        check(tab)
        tab.page.get_by_role("button", name="Create it again").click()
        check(tab)
        tab.page.get_by_role("button", name="Apply").click()
        tab.page.get_by_role("button", name="Edit").wait_for()

        assert 1 == client.appmesh.describe_virtual_node(**names)["virtualNode"]["metadata"]["version"]
        client.appmesh.delete_virtual_node(**names)
