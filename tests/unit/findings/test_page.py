"""docs/doctor.md says what the code does."""

from __future__ import annotations

import re

from shopmesh.appmesh.catalogue import GROUPS, TYPES
from tests.doctor import PAGE, written

RETIRED = {"SM207"}
"""Codes that an earlier version had; they are not given again."""


def test_the_table_of_all_findings_is_what_is_registered() -> None:
    """A reader of a code finds it there."""
    assert written(PAGE.read_text()) == PAGE.read_text(), "write it anew with `make findings`"


def test_codes_are_given_once_and_by_where_they_are_seen() -> None:
    """SM1.. in documents, SM2.. in a running mesh, SM3.. around it; a code that somebody may have noted stays."""
    for number, types in zip("1223", GROUPS.values(), strict=True):
        assert all(re.fullmatch(rf"SM{number}\d\d", one.code) for one in types)
    assert len(TYPES) == sum(len(types) for types in GROUPS.values())
    assert RETIRED.isdisjoint(TYPES)


def test_what_is_told_is_a_part_of_a_sentence() -> None:
    """Why and what to do stand behind a mark, without a full stop; titles begin with a capital letter."""
    for one in TYPES.values():
        assert one.title[0].isupper()
        assert not one.why[0].isupper() or one.why.startswith("Envoy")
        assert not any(text.endswith(".") for text in (one.title, one.why, one.fix))
        assert "|" not in one.title + one.why + one.fix
