"""docs/parity.md says what the marks of the tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity import NEEDED, PAGE, ROOT, Feature, Mark, MarkError, features, marks, page


def test_the_committed_page_is_what_the_marks_say() -> None:
    """Whoever adds a mark writes the page anew."""
    assert page(features(), marks()) == PAGE.read_text(), "docs/parity.md is out of date: run `make parity`, commit it"


def test_every_feature_has_a_test_or_a_reason() -> None:
    """Nothing is left out in silence, and no reason stands for a test of what can be had here."""
    shown = {mark.number for mark in marks()}
    assert set() == set(NEEDED) - shown, "mark a test in tests/e2e with these numbers"
    told = {number for number, feature in features().items() if feature.reason or feature.evidence}

    assert set() == features().keys() - shown - told, "mark a test, or give a reason in tests/parity/features.yaml"


def test_marks_are_of_known_features() -> None:
    """A number that App Mesh's table does not have is a slip."""
    assert set() == {mark.number for mark in marks()} - features().keys()
    assert list(range(1, 38)) == sorted(features())


def test_evidence_is_there() -> None:
    """A file that was moved is found by this."""
    assert all((ROOT / feature.evidence).is_file() for feature in features().values() if feature.evidence)


def test_a_row_tells_how_it_works_or_why_not() -> None:
    """As App Mesh did, better, or not at all."""
    known = {1: Feature("one", "a"), 2: Feature("two", "b"), 3: Feature("three", "c", reason="no way")}
    found = [Mark(1, "tests/e2e/test_x.py", "a"), Mark(1, "tests/e2e/test_x.py", "b"), Mark(2, "t.py", "c", "more")]
    rows = page(known, found).splitlines()[-3:]

    assert [
        "| 1 | one | a | works | [test_x](../tests/e2e/test_x.py) (2) |",
        "| 2 | two | b | **works, and better:** more | [t](../t.py) (1) |",
        "| 3 | three | c | not: no way |  |",
    ] == rows


def test_marks_are_read_without_running_anything(tmp_path: Path) -> None:
    """Several of one test, of asynchronous ones too, and texts over several lines."""
    (tmp_path / "test_a.py").write_text(
        "@pytest.mark.feature(8)\n@pytest.mark.feature(9, better='a'\n  ' b')\nasync def test_one(): raise SystemExit\n"
        "@pytest.mark.slow\ndef test_two(): ...\n"
    )

    assert [Mark(8, "test_a.py", "test_one"), Mark(9, "test_a.py", "test_one", "a b")] == marks(tmp_path)


@pytest.mark.parametrize(
    "mark", ["feature(NUMBER)", "feature('8')", "feature(8, better='a|b')", "feature(8, worse='')"]
)
def test_a_mark_that_cannot_be_read_is_named(tmp_path: Path, mark: str) -> None:
    """With file and line."""
    (tmp_path / "test_a.py").write_text(f"@pytest.mark.{mark}\ndef test_one(): ...\n")

    with pytest.raises(MarkError, match=r"test_a\.py, line 1"):
        marks(tmp_path)
