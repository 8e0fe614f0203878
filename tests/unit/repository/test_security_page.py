"""docs/security.md names for every threat a test, and each of them is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT

PAGE = ROOT / "docs" / "security.md"
COLUMNS = ["asset", "attacker", "door", "defence", "test"]
NAMED = re.compile(r"\[(test_\w+)\]\(([^)#]+\.py)\)")


def rows() -> list[list[str]]:
    """The cells of each row of all tables, without heads and rules."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [one for one in cells if one != COLUMNS and not set("".join(one)) <= set("-")]


@cache
def names_of_tests(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text())
    functions = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(one.name for one in functions if one.name.startswith("test_"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:30])
def test_every_threat_has_a_test_that_exists(row: list[str]) -> None:
    """Each row says all five things, and every test that it names is in the file that it links to."""
    assert len(COLUMNS) == len(row)
    assert all(row)
    named = NAMED.findall(row[4])
    assert named
    assert NAMED.sub("", row[4]).strip(", ") == ""
    for name, link in named:
        assert name in names_of_tests((PAGE.parent / link).resolve()), f"{link} has no {name}"


def test_the_page_is_read_whole() -> None:
    """So that the test above looks at what it says, and what stays open is named."""
    text = PAGE.read_text()

    assert len(NAMED.findall(text)) == sum(len(NAMED.findall(row[4])) for row in rows()) > 30
    assert len(re.findall(r"^- \*\*", text.partition("## What stays open")[2], re.MULTILINE)) >= 5


def test_it_is_found() -> None:
    """From the first page, from the architecture, and by who wants to report something."""
    for page in ("README.md", "SECURITY.md", "docs/architecture.md"):
        assert "security.md)" in (ROOT / page).read_text(), page
