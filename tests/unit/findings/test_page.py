"""docs/doctor.md says what the code does."""

from __future__ import annotations

import re

from tests.doctor import MISTAKES, PAGE, written


def test_the_table_of_all_findings_is_what_is_registered() -> None:
    """A reader of a code finds it there."""
    assert written(PAGE.read_text()) == PAGE.read_text(), "write it anew with `make findings`"


def test_codes_are_given_once_and_by_where_they_are_seen() -> None:
    """SM1.. in documents, SM2.. in a running mesh, SM3.. around it; a code that somebody may have noted stays."""
    codes = [one.code for one in MISTAKES]

    assert sorted(set(codes)) == codes
    assert all(re.fullmatch(r"SM[123]\d\d", code) for code in codes)


def test_what_is_told_is_a_part_of_a_sentence() -> None:
    """Why and what to do stand behind a mark, without a full stop; titles begin with a capital letter."""
    for one in MISTAKES:
        assert one.title[0].isupper()
        assert not one.why[0].isupper() or one.why.startswith("Envoy")
        assert not any(text.endswith(".") for text in (one.title, one.why, one.fix))
        assert "|" not in one.title + one.why + one.fix
