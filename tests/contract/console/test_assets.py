"""The files that the browser loads: only those of the console, each transferred once until it changes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopmesh.appmesh.errors import UnknownOperation
from shopmesh.console.assets import FOLDER, Assets
from tests.support.console import Browser, ConsoleServer

FILES = sorted(str(one.relative_to(FOLDER)) for one in FOLDER.rglob("*") if one.suffix not in ("", ".md", ".map"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with ConsoleServer() as server:
        yield server.browser(signed_in=False)


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_sent_as_it_is_and_with_its_type(browser: Browser, name: str) -> None:
    """Compressed where that is smaller, and the same either way."""
    plain = browser.get(f"/console/static/{name}", {"accept-encoding": "identity"})
    zipped = browser.get(f"/console/static/{name}", {"accept-encoding": "br, gzip"})

    content = (FOLDER / name).read_bytes()
    assert [200, 200] == [plain.status, zipped.status]
    assert content == plain.body
    is_zipped = zipped.headers.get("content-encoding") == "gzip"
    assert content == (gzip.decompress(zipped.body) if is_zipped else zipped.body)
    assert len(zipped.body) <= len(content)
    assert plain.headers["content-type"] == zipped.headers["content-type"]
    kind = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    assert plain.headers["content-type"].startswith(kind.get(Path(name).suffix, ""))


def test_a_file_that_a_browser_has_is_not_sent_again(browser: Browser) -> None:
    """It asks each time, since the address of a file stays the same from version to version."""
    for encoding in ("identity", "gzip"):
        first = browser.get("/console/", {"accept-encoding": encoding})
        tag = first.headers["etag"]
        assert "no-cache" == first.headers["cache-control"]
        for known in (tag, f'"other", W/{tag}', "*"):
            again = browser.get("/console/", {"accept-encoding": encoding, "if-none-match": known})
            assert (304, b"", tag) == (again.status, again.body, again.headers["etag"])
        assert 200 == browser.get("/console/", {"accept-encoding": encoding, "if-none-match": '"other"'}).status


def test_a_compressed_answer_is_sent_to_who_takes_it(browser: Browser) -> None:
    for accepted, is_zipped in (
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.00", False),
        ("br", False),
    ):
        answer = browser.get("/console/", {"accept-encoding": accepted})
        assert is_zipped == ("content-encoding" in answer.headers), accepted
        assert "accept-encoding" == answer.headers["vary"]


def test_head_has_the_headers_of_get_and_no_body(browser: Browser) -> None:
    asked = {"accept-encoding": "identity"}
    head, get = browser.request("HEAD", "/console/", headers=asked), browser.get("/console/", asked)

    assert (200, b"") == (head.status, head.body)
    assert {**get.headers, "date": ""} == {**head.headers, "date": ""}


def test_the_shell_is_found_without_its_slash(browser: Browser) -> None:
    answer = browser.get("/console")

    assert (307, "/console/") == (answer.status, answer.headers["location"])


def test_a_changed_file_is_sent_as_it_is_now(tmp_path: Path) -> None:
    """In a clone the pages are seen as they are edited, without a restart."""
    assets = Assets(tmp_path)
    scope = {"method": "GET", "headers": []}
    (tmp_path / "a.js").write_text("one")
    first = assets.answer(scope, "a.js")
    (tmp_path / "a.js").write_text("other")
    second = assets.answer(scope, "a.js")

    assert [b"one", b"other"] == [first.body, second.body]
    assert first.headers["etag"] != second.headers["etag"]


def test_only_plain_names_of_the_folder_are_found(tmp_path: Path) -> None:
    """No link leads out of it, whoever has put it there, and no name out of it is tried."""
    inside, outside = tmp_path / "static", tmp_path / "outside"
    for folder in (inside, outside, inside / "pages"):
        folder.mkdir()
    (outside / "secret.js").write_text("secret")
    (inside / "pages" / "a.js").write_text("a")
    (inside / "README.md").write_text("not for browsers")
    (inside / "link.js").symlink_to(outside / "secret.js")
    (inside / "folder").symlink_to(outside)
    assets = Assets(inside)
    scope = {"method": "GET", "headers": []}

    assert b"a" == assets.answer(scope, "pages/a.js").body
    for name in (
        *("", ".", "..", "/", "pages", "pages/", "pages/a", "pages//a.js", "./pages/a.js", "README.md", "link.js"),
        *("folder/secret.js", "../outside/secret.js", "pages/../../outside/secret.js", str(outside / "secret.js")),
        *("pages/a.js/", "pages\\a.js", "pages/a.js\x00", "pages/a.js\n", "pages/" * 9 + "a.js", "a" * 300 + ".js"),
    ):
        with pytest.raises(UnknownOperation):
            assets.answer(scope, name)
