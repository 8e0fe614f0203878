"""The table of docs/doctor.md, from the registered findings: `python -m tests.doctor` writes it."""

from __future__ import annotations

from pathlib import Path

from shopmesh.appmesh import findings as documents
from shopmesh.cli import surroundings
from shopmesh.kubernetes import findings as cluster
from shopmesh.server import findings as running

PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
MISTAKES = (*documents.MISTAKES, *running.MISTAKES, *cluster.MISTAKES, *surroundings.MISTAKES)
_END = "<!-- end -->"
_BEGIN = "from what is registered in the code. -->\n"
_GROUPS = (
    ("In documents, with or without a control plane", documents.MISTAKES),
    ("In a running mesh", running.MISTAKES),
    ("In a cluster", cluster.MISTAKES),
    ("Around it, seen from where `shopmesh doctor` runs", surroundings.MISTAKES),
)


def written(page: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_tables()}\n{_END}{after}"


def _tables() -> str:
    lines: list[str] = []
    for title, mistakes in _GROUPS:
        lines += ["", f"### {title}", "", "| code | what | why it hurts | what to do |", "|---|---|---|---|"]
        for one in sorted(mistakes, key=lambda mistake: mistake.code):
            code = f'<a id="{one.code.lower()}"></a>{one.code}<br>{one.severity}'
            lines.append(f"| {code} | {one.title} | {one.why} | {one.fix} |")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
