"""The bytes of a request."""

from __future__ import annotations

import pytest

from shopmesh.load.engine.targets import Origin, make_target, target_chooser


@pytest.mark.parametrize(
    ("url", "origin", "line", "host"),
    [
        ("http://shop", Origin("shop", 80), "GET / HTTP/1.1", "shop"),
        ("http://Shop:8080/a?b=%20", Origin("shop", 8080), "GET /a?b=%20 HTTP/1.1", "shop:8080"),
        ("https://shop/x#y", Origin("shop", 443, tls=True), "GET /x HTTP/1.1", "shop"),
        ("http://[::1]:81/", Origin("::1", 81), "GET / HTTP/1.1", "[::1]:81"),
    ],
)
def test_a_url_becomes_a_request(url: str, origin: Origin, line: str, host: str) -> None:
    """Where to, the request line, and the host as a browser would write it."""
    found = make_target(url)

    assert (origin, [line, f"host: {host}"]) == (found.origin, found.request.decode().split("\r\n")[:2])


def test_headers_replace_what_we_would_say() -> None:
    """A host of one's own is sent once."""
    request = make_target("http://127.0.0.1:1/", headers=[("Host", "product"), ("User-Agent", "me")]).request

    assert b"GET / HTTP/1.1\r\nHost: product\r\nUser-Agent: me\r\n\r\n" == request


def test_a_body_has_its_length() -> None:
    """In bytes; a POST without one says 0."""
    assert make_target("http://a/", "POST", (), b"\xc3\xa4").request.endswith(b"content-length: 2\r\n\r\n\xc3\xa4")
    assert make_target("http://a/", "POST").request.endswith(b"content-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "url", ["shop", "ftp://shop/", "http:///x", "http://a/\r\nx: y", "http://a/ä", "http://a:99999/"]
)
def test_an_unusable_url_is_refused(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=r"."):
        make_target(url)


def test_a_header_cannot_smuggle_another() -> None:
    """Line ends in names and values are refused."""
    for header in (("a", "b\r\nc: d"), ("a\r\n", "b"), ("", "b")):
        with pytest.raises(ValueError, match="not a valid header"):
            make_target("http://a/", headers=[header])


def test_targets_are_drawn_by_weight() -> None:
    """Three to one, and the same draws for the same seed."""
    targets = (make_target("http://a/"), make_target("http://b/"))
    draw, again = target_chooser(targets, (3, 1), 7), target_chooser(targets, (3, 1), 7)
    drawn = [draw() for _ in range(4000)]

    assert 2900 < sum(one is targets[0] for one in drawn) < 3100
    assert drawn == [again() for _ in range(4000)]


@pytest.mark.parametrize("weights", [(1,), (0, 0), (-1, 2)])
def test_impossible_weights_are_refused(weights: tuple[float, ...]) -> None:
    """Too few, none above zero, one below."""
    with pytest.raises(ValueError, match="2 URLs need as many weights"):
        target_chooser((make_target("http://a/"), make_target("http://b/")), weights, 0)
