"""docs/README.md, the index: all pages are in it, and those that are run are in the order in which they are run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
INDEX = ROOT / "docs" / "README.md"


def linked_pages(text: str) -> list[Path]:
    """The pages that a text links to, in its order."""
    return [(INDEX.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", text)]


def test_the_index_has_every_page() -> None:
    """A page that is not in it is found by nobody who does not know its name."""
    pages = {page for page in (ROOT / "docs").glob("*.md") if page != INDEX}

    assert set() == pages - set(linked_pages(INDEX.read_text()))
    assert all(page.exists() for page in linked_pages(INDEX.read_text()))


def test_the_first_pages_are_run_in_the_order_of_the_index() -> None:
    """A reader who goes from page to page does what the tests do."""
    first = INDEX.read_text().partition("## 2.")[0]
    run = re.findall(r'reader\.follow\("([^"]+)"\)', (ROOT / "tests" / "e2e" / "docs" / "test_pages.py").read_text())

    indexed = [page for page in linked_pages(first) if page in {(ROOT / name).resolve() for name in run}]
    assert indexed == [page for name in run if (page := (ROOT / name).resolve()) in indexed]
    assert 5 <= len(indexed)


def test_the_readme_leads_to_the_index() -> None:
    """And to the page that explains the words."""
    readme = (ROOT / "README.md").read_text()

    assert "(docs/README.md)" in readme
    assert "(docs/concepts.md)" in readme


def test_the_page_of_concepts_explains_each_word_and_who_chooses() -> None:
    """With a picture and one sentence in bold."""
    page = (ROOT / "docs" / "concepts.md").read_text()
    words = ["mesh", "virtual node", "virtual router", "virtual service", "route", "sidecar", "Envoy", "xDS"]

    assert [] == [word for word in words if f"| **{word}** |" not in page]
    assert "**The caller's Envoy chooses.**" in page
    assert "50 %" in page.partition("```")[2].partition("```")[0]
