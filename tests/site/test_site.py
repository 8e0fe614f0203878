"""The documentation as a site, as `make docs` built it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.repository import ROOT

SITE = ROOT / "build" / "site"
_ATTRIBUTE = re.compile(r'<(\w+)[^>]*?\s(?:href|src)="?([^"\s>]+)')
_LOADED = {"script", "link", "img", "iframe"}


@pytest.fixture(scope="module")
def site_pages() -> list[Path]:
    if not SITE.is_dir() and "CI" not in os.environ:
        pytest.skip("the site is not built: make docs")
    found = sorted(SITE.rglob("*.html"))
    assert len(found) > 50
    return found


def test_every_link_leads_to_a_page_or_a_file_of_the_site(site_pages: list[Path]) -> None:
    """Links to files of the repository too, since those are copied."""
    broken = []
    for page in site_pages:
        for _, target in _ATTRIBUTE.findall(page.read_text(encoding="utf-8")):
            url = urlsplit(target)
            if url.scheme or url.netloc or not url.path:
                continue
            base = SITE if url.path.startswith("/") else page.parent
            if not (base / unquote(url.path.lstrip("/"))).is_file():
                broken.append(f"{page.relative_to(SITE)}: {target}")

    assert [] == broken


def test_no_page_loads_anything_from_another_machine(site_pages: list[Path]) -> None:
    """Fonts, scripts, styles and pictures are part of the site, so that it is read offline."""
    loaded = [
        f"{page.relative_to(SITE)}: {target}"
        for page in site_pages
        for tag, target in _ATTRIBUTE.findall(page.read_text(encoding="utf-8"))
        if tag in _LOADED and urlsplit(target).netloc
    ]

    assert [] == loaded


def test_the_search_knows_every_page_of_the_documentation() -> None:
    """And the navigation has each: a page that nobody finds is not there."""
    if not SITE.is_dir() and "CI" not in os.environ:
        pytest.skip("the site is not built: make docs")
    config = tomllib.loads((ROOT / "website" / "zensical.toml").read_text())
    named = set(re.findall(r"[\w./-]+\.md", str(config["project"]["nav"])))
    index = (SITE / "search.json").read_text(encoding="utf-8")

    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} - {"docs/README.md"} <= named
    assert set() == {name for name in named if not (ROOT / name).is_file()}
    built = {name: name.replace("README.md", "index.html").replace(".md", ".html") for name in named}
    assert [] == [name for name, page in built.items() if name != "README.md" and page not in index]
