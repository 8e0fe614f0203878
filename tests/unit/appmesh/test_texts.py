"""Lengths of time and addresses as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shopmesh.appmesh.texts import is_address, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300ms", "0.3"), ("1.5s", "1.5"), ("5m", "300"), ("1h", "3600"), ("1.001s", "1.001"), ("0s", "0")],
)
def test_a_length_of_time_has_a_unit(text: str, seconds: str) -> None:
    assert Decimal(seconds) == parse_seconds(text)


@pytest.mark.parametrize("text", ["", "5", "5 s", "-1s", "1d", "1e3s", "s", "\uff11s", "1s\n", "9999999999s"])
def test_anything_else_is_not_one(text: str) -> None:
    """Digits of other scripts, signs and exponents among it."""
    assert parse_seconds(text) is None


def test_addresses_are_of_both_versions() -> None:
    assert [True, True, False, False] == [is_address(one) for one in ("10.0.0.1", "::1", "a.b", "10.0.0.256")]
