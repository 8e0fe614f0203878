"""Whatever is asked below /console/ is no fault of the server, and every answer is confined."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.console import Browser, ConsoleServer

PREFIXES = ("/console/", "/console/static/", "/console/api/", "/console/api/shopmesh/v1/", "/console/api/v20190125/")
PARTS = st.sampled_from(
    [
        *(
            "..",
            ".",
            "",
            "%2e%2e",
            "%2f",
            "%5c",
            "%00",
            "%ff%fe",
            "%",
            "%zz",
            "\\",
            ";",
            "//",
            "api",
            "static",
            "session",
        ),
        *("sign-in", "sign-out", "shopmesh", "v1", "proxies", "v20190125", "meshes", "codes", "index.html", "main.js"),
        *("resources", "manifests", "requests", "changes", "history", "canaries", "console", "live.js", "a" * 300),
    ]
) | st.text(string.printable, max_size=12).map(lambda text: quote(text, safe="!$&'()*+,;=:@"))
BODIES: st.SearchStrategy[Any] = st.sampled_from(
    [None, {}, [], "", 0, {"code": "\ud800"}, {"code": "x" * 512}, {"dryRun": True}, {"a": {"b": []}}]
)
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "ODD"]


@pytest.fixture(scope="module")
def browsers() -> Iterator[list[Browser]]:
    """Of somebody who is signed in, and of a stranger."""
    with ConsoleServer() as server:
        yield [server.browser(), server.browser(signed_in=False)]


@settings(max_examples=300, deadline=None)
@given(
    prefix=st.sampled_from(PREFIXES),
    parts=st.lists(PARTS, max_size=4),
    query=st.sampled_from(["", "?", "?page-token", "?page-token=&page-token=%ff", "?after=x&after=y"]),
    method=st.sampled_from(METHODS),
    body=BODIES,
    signed_in=st.booleans(),
)
def test_whatever_is_asked_is_answered_by_the_console(
    browsers: list[Browser], prefix: str, parts: list[str], query: str, method: str, body: object, signed_in: bool
) -> None:
    browser = browsers[0 if signed_in else 1]
    kept = dict(browser.cookies)

    answer = browser.request(method, prefix + "/".join(parts) + query, body)

    browser.cookies = kept
    assert 200 <= answer.status < 500
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert signed_in or not (prefix.startswith("/console/api") and answer.status == 200)
