"""The table of docs/doctor.md, from the registered findings: `python -m tests.doctor` writes it."""

from __future__ import annotations

from pathlib import Path

from shopmesh.appmesh.catalogue import GROUPS

PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
_END = "<!-- end -->"
_BEGIN = "from what is registered in the code. -->\n"


def written(page: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_tables()}\n{_END}{after}"


def _tables() -> str:
    lines: list[str] = []
    for title, types in GROUPS.items():
        lines += ["", f"### {title}", "", "| code | what | why it hurts | what to do |", "|---|---|---|---|"]
        for one in types:
            code = f'<a id="{one.code.lower()}"></a>{one.code}<br>{one.severity}'
            lines.append(f"| {code} | {one.title} | {one.why} | {one.fix} |")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
