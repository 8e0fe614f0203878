"""The glossary of docs/architecture.md has every word once, with the term that others use, and only words in use."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.support.repository import PAGES, ROOT

PAGE = ROOT / "docs" / "architecture.md"
GLOSSARY = PAGE.read_text().partition("## Glossary")[2]
ROWS = [line.strip("|").split(" | ") for line in GLOSSARY.splitlines() if line.startswith("| ")][1:]


@cache
def written() -> str:
    """All sources with their names, and all pages, without the glossary itself."""
    paths = [*(ROOT / "src" / "shopmesh").rglob("*.py"), *(page for page in PAGES if page != PAGE)]
    texts = [path.read_text() for path in paths] + [PAGE.read_text().partition("## Glossary")[0]]
    return " ".join([*texts, *map(str, paths)]).lower().replace("_", " ")


def test_the_words_are_in_order_and_have_a_meaning_and_a_term() -> None:
    """A reader finds a word by its first letter; a dash says that there is no other term."""
    words = [row[0].strip() for row in ROWS]

    assert sorted(set(words), key=str.lower) == words
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in ROWS)


@pytest.mark.parametrize("entry", [row[0].strip() for row in ROWS])
def test_a_word_of_the_glossary_is_in_use(entry: str) -> None:
    """One that was renamed is renamed here as well."""
    for word in entry.split(", "):
        assert re.search(rf"\b{re.escape(word.lower())}", written()), word
