"""What App Mesh could do and what shows that it works here: docs/parity.md, from the marks of the tests.

    @pytest.mark.feature(8, better="…") ──ast──► Mark ─┐
    features.yaml ─────────────────────────► Feature ─┴─► page()

Nothing is imported or run, so that the page can be written in a moment: `make parity`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "parity.md"
NEEDED = (*range(1, 32), 36)
"""The numbers of which each has a test: what App Mesh's users had and what can be had here."""

_HEAD = """\
# App Mesh's features, and what shows them here

<!-- Written by `make parity` from the marks of the tests and tests/parity/features.yaml. -->

Each feature of App Mesh has a number; a test that shows it is marked with it.
These tests run real Envoys with real traffic and look at what happens: a retry is counted where it arrives,
an ejected host stays silent, a wrong certificate is refused.
*Better* says what more is held here than App Mesh did.

| # | feature | App Mesh | here | tests |
|---|---|---|---|---|
"""


class MarkError(ValueError):
    """A mark that cannot be read; the message names file, line and what is wrong."""


@dataclass(frozen=True, order=True)
class Mark:
    """That a test shows a feature; `better` is empty where it is as App Mesh was."""

    number: int
    file: str
    test: str
    better: str = ""


@dataclass(frozen=True)
class Feature:
    """`reason` says why it is not here; `evidence` is a file of other tests."""

    name: str
    fact: str
    reason: str = ""
    evidence: str = ""


def features() -> dict[int, Feature]:
    found = yaml.safe_load((ROOT / "tests" / "parity" / "features.yaml").read_text())
    return {number: Feature(**said) for number, said in found.items()}


def marks(folder: Path = ROOT / "tests" / "e2e") -> list[Mark]:
    """The marks of all tests below a folder, sorted; raises `MarkError`."""
    return sorted(mark for file in folder.rglob("test_*.py") for mark in _in_file(file))


def page(known: Mapping[int, Feature], found: Iterable[Mark]) -> str:
    """The whole page."""
    by_number: dict[int, list[Mark]] = {}
    for mark in found:
        by_number.setdefault(mark.number, []).append(mark)
    rows = (_row(number, feature, by_number.get(number, [])) for number, feature in sorted(known.items()))
    return _HEAD + "".join(f"{row}\n" for row in rows)


def _row(number: int, feature: Feature, found: list[Mark]) -> str:
    better = "; ".join(dict.fromkeys(mark.better for mark in found if mark.better))
    if better:
        here = f"**works, and better:** {better}"
    elif found or feature.evidence:
        here = "works"
    else:
        here = f"not: {feature.reason}"
    counts: dict[str, int] = {}
    for mark in found:
        counts[mark.file] = counts.get(mark.file, 0) + 1
    links = [f"[{Path(file).stem}](../{file}) ({count})" for file, count in counts.items()]
    if feature.evidence:
        links.append(f"[{Path(feature.evidence).stem}](../{feature.evidence})")
    return f"| {number} | {feature.name} | {feature.fact} | {here} | {', '.join(links)} |"


def _in_file(file: Path) -> Iterator[Mark]:
    name = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.feature":
                    yield _mark(decorator, name, node.name)


def _mark(call: ast.Call, file: str, test: str) -> Mark:
    try:
        (number,) = (ast.literal_eval(argument) for argument in call.args)
        said: dict[str | None, Any] = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        better = said.pop("better", None) or ""
    except ValueError:
        raise MarkError(f"{file}, line {call.lineno}: write feature(NUMBER, better=TEXT) with literals") from None
    if said or not isinstance(number, int) or not isinstance(better, str) or "|" in better:
        raise MarkError(f"{file}, line {call.lineno}: feature takes a number, and better= with a text without |")
    return Mark(number, file, test, better)
