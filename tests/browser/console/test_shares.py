"""When a share counts as different from its target: by what chance can do, tried with draws of known chances."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from tests.support.console_browser import Tabs

DRAWS = 1_000
"""Looks at each share."""
LOOKS = 10_000
"""Of so many, chance may make one differ."""


def verdicts(console: Tabs, shares: list[dict[str, Any]]) -> list[str]:
    found: list[str] = console.open().module("components/share.js", "given[0].map(module.verdict)", shares)
    return found


def test_chance_makes_hardly_any_share_differ(console_alone: Tabs) -> None:
    """Proxies that obey: one look in ten thousand at most says that a share differs, however few requests there are."""
    draw = random.Random(15)
    shares = [
        {"target": target, "seen": sum(draw.random() < target for _ in range(total)) / total, "total": total}
        for target, total in itertools.product((0.01, 0.05, 0.25, 0.5), (5, 20, 100, 250))
        for _ in range(DRAWS)
    ]
    found = verdicts(console_alone, shares)

    assert {"agrees", "differs"} >= set(found)
    assert found.count("differs") <= len(shares) / LOOKS


@pytest.mark.parametrize(
    ("target", "seen", "total", "expected"),
    [
        (0.5, 0.75, 250, "differs"),
        (0.05, 0.15, 250, "differs"),
        (0.0, 0.01, 100, "differs"),
        (1.0, 0.99, 100, "differs"),
        (0.25, 0.0, 100, "differs"),
        (0.5, 0.58, 250, "agrees"),
        (0.01, 0.05, 100, "agrees"),
        (0.25, 0.0, 20, "agrees"),
        (0.0, 0.0, 100, "agrees"),
        (1.0, 1.0, 100, "agrees"),
        (0.5, None, 0, "unknown"),
        (None, 0.5, 100, "unknown"),
    ],
)
def test_a_share_differs_where_chance_is_no_explanation(
    console_alone: Tabs, target: float | None, seen: float | None, total: int, expected: str
) -> None:
    assert [expected] == verdicts(console_alone, [{"target": target, "seen": seen, "total": total}])
