"""What pages compute of texts and documents, tried as modules in the browser that runs them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs


@pytest.fixture(scope="module")
def tab(chromium: Any) -> Any:
    with ConsoleServer() as server:
        tabs = Tabs(chromium, server.link)
        yield tabs.open()
        assert [] == tabs.close()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb\nc", "a\nb\nc", "   "),
        ("a\nb\nc", "a\nx\nc", " -+ "),
        ("a\nc", "a\nb\nc", " + "),
        ("", "a", "-+"),
        ("a\nb\na\nb", "b\na\nb\na", "-   +"),
    ],
)
def test_lines_are_compared(tab: Tab, before: str, after: str, expected: str) -> None:
    """Each line of both once; those that were taken out and put in build both texts again."""
    lines = tab.module("data/line_diff.js", "module.compareLines(given[0], given[1])", before, after)

    assert expected == "".join(line["mark"] for line in lines)
    assert before == "\n".join(line["text"] for line in lines if line["mark"] != "+")
    assert after == "\n".join(line["text"] for line in lines if line["mark"] != "-")


def test_two_long_texts_without_a_line_in_common_are_compared_at_once(tab: Tab) -> None:
    """Beyond a bound the one replaces the other; a page must not stand still."""
    texts = ("\n".join(f"{side}{number}" for number in range(20_000)) for side in "ab")
    count = tab.module("data/line_diff.js", "module.compareLines(given[0], given[1]).length", *texts)

    assert 40_000 == count


def test_lines_far_from_a_difference_are_left_out(tab: Tab) -> None:
    text = "\n".join(map(str, range(50)))
    shown = "module.withContext(module.compareLines(given[0], given[1])).map(({ mark }) => mark).join('')"

    assert "@   -+   @" == tab.module("data/line_diff.js", shown, text, text.replace("25", "x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("route shop/web/all", {"kind": "route", "path": ["shop", "web", "all"]}),
        ("proxy p-1 of virtualNode shop/p", {"kind": "instance", "path": ["shop", "virtualNode", "p", "p-1"]}),
        ("canary shop/web/all", {"kind": "canary", "path": ["shop", "web", "all"]}),
        ("weather shop/web", None),
        ("", None),
    ],
)
def test_keys_in_words_are_read(tab: Tab, text: str, expected: object) -> None:
    assert expected == tab.module("data/resources.js", "module.parseKey(given[0])", text)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("route shop/web/all", "#/resources?mesh=shop&resource=route%2Fweb%2Fall"),
        ("canary shop/web/all", "#/traffic?mesh=shop&route=web%2Fall"),
        ("proxy p-1 of virtualNode shop/p", "#/proxies?mesh=shop&proxy=virtualNode%2Fp%2Fp-1"),
    ],
)
def test_what_a_key_names_has_a_page(tab: Tab, key: str, expected: str) -> None:
    assert expected == tab.module("data/resources.js", "module.keyHref(module.parseKey(given[0]))", key)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (["mesh shop"], True),
        (["route shop/web/all"], True),
        (["proxy p-1 of virtualNode shop/p"], True),
        (["mesh shopping", "route shopping/web/all"], False),
        ([], True),
    ],
)
def test_a_change_is_of_the_meshes_that_its_resources_name(tab: Tab, resources: list[str], expected: bool) -> None:
    change = {"resources": resources}

    assert expected == tab.module("pages/changes/model.js", "module.inMesh(given[0], 'shop')", change)


def test_what_cannot_be_seen_is_written_out(tab: Tab) -> None:
    """And what can stays, in any script."""
    text = "a\u202eb\u200bc\x07d \U0001f600 \u05e9\u05dc\u05d5\u05dd\ttab"

    assert "a\\u202eb\\u200bc\\u0007d \U0001f600 \u05e9\u05dc\u05d5\u05dd\ttab" == tab.module(
        "data/format.js", "module.printable(given[0])", text
    )


@pytest.mark.parametrize(
    ("changes", "kind", "word"),
    [
        ({}, "good", "in sync"),
        ({"inStep": False}, "warn", "waiting for ACK"),
        ({"known": False}, "warn", "unknown node"),
        ({"connected": False, "inStep": False}, "bad", "not connected"),
        ({"refused": {"type": "routes", "message": "no", "at": 1}, "inStep": False}, "bad", "NACK: routes"),
    ],
)
def test_a_proxy_stands_as_its_worst(tab: Tab, changes: dict[str, Any], kind: str, word: str) -> None:
    proxy = {"connected": True, "known": True, "inStep": True, "refused": None, "types": {}, **changes}
    found = tab.module("pages/proxies/model.js", "module.stateOf(given[0])", proxy)

    assert (kind, word) == (found["kind"], found["word"])


def test_two_configurations_differ_in_the_resources_that_do(tab: Tab) -> None:
    """By name: added, removed, changed; equal ones are left out."""
    before = [{"name": name, "resource": {"port": 1}} for name in ("same", "gone", "other")]
    after = [{"name": name, "resource": {"port": port}} for name, port in (("same", 1), ("new", 1), ("other", 2))]
    differences = tab.module("pages/proxies/model.js", "module.compareResources(given[0], given[1])", before, after)

    assert [("gone", "removed"), ("new", "added"), ("other", "changed")] == [
        (one["name"], one["change"]) for one in differences
    ]
