"""docs/beyond.md lists the annotations that there are."""

from __future__ import annotations

from pathlib import Path

from shopmesh.appmesh.annotations import ANNOTATIONS
from shopmesh.appmesh.annotations.annotation import Annotation
from shopmesh.appmesh.kinds import in_words

PAGE = Path(__file__).parents[3] / "docs" / "beyond.md"


def row(annotation: Annotation) -> str:
    kinds = ", ".join(map(in_words, annotation.kinds))
    cells = f"| `shopmesh.dev/{annotation.name}` | {kinds} | {annotation.description} | `{annotation.example}` |"
    return cells.replace("||", "\\|\\|")


def test_the_table_is_the_vocabulary() -> None:
    """Each word with its kinds, what it does and an example, and no other."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `shopmesh.dev/")]

    assert [row(annotation) for annotation in ANNOTATIONS.values()] == rows
