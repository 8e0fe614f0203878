"""The table of docs/architecture.md that leads from a question to the file that decides it."""

from __future__ import annotations

import re

import pytest

from tests.support.repository import ROOT

TABLE = (ROOT / "docs/architecture.md").read_text().partition("## Where it is decided")[2].partition("\n## ")[0]
ROWS = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize(("question", "answer"), ROWS)
def test_a_question_leads_to_a_file_that_has_the_name(question: str, answer: str) -> None:
    """A file that moves, or a name that changes, changes here as well."""
    files = [(base / name) for name in re.findall(r"`(\S+\.\w+)`", answer) for base in (ROOT, ROOT / "src/shopmesh")]
    found = [one for one in files if one.is_file()]
    names = re.findall(r"\(`(\w+)`\)", answer)

    assert question.endswith("?")
    assert 2 * len(found) == len(files) > 0
    assert all(re.search(rf"^(class |def )?{name}\b", found[0].read_text(), re.MULTILINE) for name in names)
