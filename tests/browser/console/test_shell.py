"""The frame around all pages: signing in and out, what the policy refuses, the connection, the keyboard, the theme."""

from __future__ import annotations

import re

import pytest

from tests.support.console import ConsoleServer
from tests.support.console_browser import SIZES, Tabs, wait

PAGES = ["Mesh", "Traffic", "Resources", "Proxies", "Findings", "Changes"]


@pytest.fixture(scope="module", autouse=True)
def mesh(shared_server: ConsoleServer) -> None:
    with shared_server.client() as client:
        client.requests([{"operation": "CreateMesh", "parameters": {"meshName": name}} for name in ("one", "two")])


def test_a_link_signs_in_and_its_code_stays_in_no_history(console_alone: Tabs) -> None:
    tab = console_alone.open()

    assert "code" not in tab.page.url
    assert PAGES == tab.page.locator("nav a > span:first-of-type").all_inner_texts()


def test_without_a_session_the_page_names_the_command(console_alone: Tabs) -> None:
    """And a link signs in, in the same tab."""
    tab = console_alone.open(signed_in=False)
    tab.allowed.append("401")
    tab.page.get_by_role("heading", name="Sign in to the console").wait_for()

    assert "shopmesh console" in tab.page.locator("main").inner_text()
    tab.show(console_alone.new_link().partition("#")[2])
    tab.page.get_by_role("link", name="Mesh", exact=True).wait_for()
    assert "code" not in tab.page.url


def test_a_code_that_was_used_is_refused_with_the_reason(console_alone: Tabs, shared_server: ConsoleServer) -> None:
    link = shared_server.link()
    shared_server.browser(signed_in=False).sign_in(link)
    tab = console_alone.open(signed_in=False)
    tab.allowed += ["40[0-9]"]
    tab.show(link.partition("#")[2])

    assert "code" in tab.page.get_by_role("alert").inner_text()


def test_signing_out_shows_how_to_sign_in(console_alone: Tabs) -> None:
    tab = console_alone.open()
    tab.allowed.append("401")
    tab.page.get_by_role("button", name=re.compile("Sign out")).click()

    tab.page.get_by_role("heading", name="Sign in to the console").wait_for()
    assert tab.page.evaluate("fetch('/console/session').then(({ status }) => status)") == 401


def test_the_policy_refuses_html_scripts_and_styles_in_the_page(console_alone: Tabs) -> None:
    """Each is reported, so that a page that needs one fails every test of it."""
    tab = console_alone.open()
    tab.allowed += ["."]
    for attempt, directive in (
        ("document.body.innerHTML = '<b>x</b>'", "require-trusted-types-for"),
        (
            "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))",
            "require-trusted-types-for",
        ),
        ("document.body.setAttribute('style', 'color: red')", "style-src-attr"),
        ("fetch('http://127.0.0.1:1/')", "connect-src"),
    ):
        tab.complaints.clear()
        tab.page.evaluate(f"(async () => {{ try {{ await ({attempt}); }} catch {{}} }})()")
        wait(tab, lambda known=f"policy: {directive} ": any(known in one for one in tab.complaints), attempt)

    assert tab.page.evaluate("window.ran") is None


def test_the_address_chooses_page_and_mesh(console_alone: Tabs) -> None:
    tab = console_alone.open("#/changes?mesh=two")
    tab.page.get_by_role("heading", name="Changes").wait_for()

    assert "two" == tab.page.get_by_label("Mesh", exact=True).input_value()
    tab.page.get_by_label("Mesh", exact=True).select_option("one")
    tab.wait_for_address("mesh=one")


def test_the_keyboard_reaches_content_and_pages(console_alone: Tabs) -> None:
    """The first stop skips the navigation; a page that is chosen has the focus."""
    tab = console_alone.open()
    tab.page.keyboard.press("Tab")
    assert "Skip to the content" == tab.page.evaluate("document.activeElement.textContent")
    tab.page.keyboard.press("Enter")
    assert "content" == tab.page.evaluate("document.activeElement.id")

    tab.page.get_by_role("link", name="Findings").focus()
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name="Findings").wait_for()
    assert "content" == tab.page.evaluate("document.activeElement.id")
    assert tab.page.title().startswith("Findings ")


def test_the_theme_is_remembered(console_alone: Tabs) -> None:
    tab = console_alone.open(scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(ground)
    tab.page.get_by_role("button", name=re.compile("Theme: automatic")).click()
    tab.page.get_by_role("button", name=re.compile("Theme: light")).click()
    dark = tab.page.evaluate(ground)

    assert light != dark
    tab.page.reload()
    tab.page.get_by_role("button", name=re.compile("Theme: dark")).wait_for()
    assert dark == tab.page.evaluate(ground)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", [title.lower() for title in PAGES])
def test_nothing_is_wider_than_the_window(console_alone: Tabs, page: str, size: str) -> None:
    tab = console_alone.open(f"#/{page}", size=size)
    tab.page.get_by_role("heading", level=1).wait_for()

    assert 0 == tab.overflow()
