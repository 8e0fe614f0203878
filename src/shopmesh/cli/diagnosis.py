"""Findings as a person reads them; nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from shopmesh.client import Finding

STYLES = {"error": "red", "warning": "yellow"}


def counted(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`."""
    counts = {severity: sum(one["severity"] == severity for one in findings) for severity in STYLES}
    return ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)


def told(findings: Sequence[Finding]) -> Iterator[Text]:
    """What and where, why it hurts, and what to do: three lines each."""
    for one in findings:
        mark = (f"{one['severity']} {one['code']}", STYLES[one["severity"]])
        yield Text.assemble(mark, f"  {one['where']}: {one['what']}")
        yield Text(f"    why: {one['why']}")
        yield Text(f"    do:  {one['fix']}")
