"""Durations as App Mesh writes them."""

from __future__ import annotations

from shopmesh.appmesh.document_types import DurationDocument

_UNITS = {"ms": 1, "s": 1000}


def duration_ms(document: DurationDocument) -> int:
    """The milliseconds of `{"value": 300, "unit": "ms"}`; without a value 0, which terraform's provider leaves out."""
    return int(document.get("value", 0)) * _UNITS[document["unit"]]


def written_ms(document: DurationDocument | None) -> int | None:
    """The same; None where nothing is written."""
    return None if document is None else duration_ms(document)
