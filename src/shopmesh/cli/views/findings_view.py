"""Shows findings on a terminal; does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from shopmesh.client import FindingDocument

STYLES = {"error": "red", "warning": "yellow"}


def render(subject: str, findings: Sequence[FindingDocument]) -> RenderableType:
    """All findings by severity, with reason, fix and documentation."""
    parts: list[RenderableType] = [Text(subject, style="bold")]
    for severity, style in STYLES.items():
        group = [one for one in findings if one["severity"] == severity]
        if group:
            parts += ["", Text(count_by_severity(group), style=f"bold {style}")]
        for one in group:
            parts += ["", *format_findings([one]), Text(f"    see: {one['docs']}")]
    if not findings:
        parts.append(Text("nothing is wrong", style="green"))
    return Group(*parts)


def count_by_severity(findings: Sequence[FindingDocument]) -> str:
    """`2 errors, 1 warning`."""
    counts = {severity: sum(one["severity"] == severity for one in findings) for severity in STYLES}
    return ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)


def format_findings(findings: Sequence[FindingDocument]) -> Iterator[Text]:
    """Three lines for each finding: where and what, why it matters, and how to fix it."""
    for one in findings:
        mark = (f"{one['severity']} {one['code']}", STYLES[one["severity"]])
        yield Text.assemble(mark, f"  {one['where']}: {one['what']}")
        yield Text(f"    why: {one['why']}")
        yield Text(f"    do:  {one['fix']}")
