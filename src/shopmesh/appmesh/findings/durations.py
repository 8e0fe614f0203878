"""Durations as findings write them."""

from __future__ import annotations


def seconds(milliseconds: int) -> str:
    """`15 s`; a time-out of 0 ends nothing."""
    return f"{milliseconds / 1000:g} s" if milliseconds else "any time"
