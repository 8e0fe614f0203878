"""What the console reads of a request: cookies, the page token, and the query without it."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.console.gate import MOST_COOKIES, cookies, page_token, query_without_token


def scope(query: bytes = b"", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"query_string": query, "headers": list(headers)}


@pytest.mark.parametrize(
    ("query", "rest", "token"),
    [
        (b"", b"", ""),
        (b"after=0", b"after=0", ""),
        (b"page-token=x", b"", "x"),
        (b"after=0&page-token=x&mesh=a%26b", b"after=0&mesh=a%26b", "x"),
        (b"page-token=x&page-token=y", b"", "x"),
        (b"other-page-token=x&page-token", b"other-page-token=x&page-token", ""),
        (b"a=page-token=x", b"a=page-token=x", ""),
    ],
)
def test_the_routes_get_the_query_without_the_token(query: bytes, rest: bytes, token: str) -> None:
    assert (rest, token) == (query_without_token(scope(query)), page_token(scope(query)))


def test_a_header_comes_before_the_query() -> None:
    assert "h" == page_token(scope(b"page-token=q", (b"x-shopmesh-console", b"h")))


def test_cookies_are_found_by_their_whole_name() -> None:
    """In several headers, and a bounded number of them."""
    given = scope(b"", (b"cookie", b"xa=0; a=1;a=2; ab=3"), (b"cookie", b"a = 4; a=5=6"))

    assert ["1", "2", "5=6"] == cookies(given, "a")
    assert MOST_COOKIES == len(cookies(scope(b"", (b"cookie", b"a=1;" * 500)), "a"))
