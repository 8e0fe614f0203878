"""Rules across fields (placeholder table; grows in the next commits)."""

from __future__ import annotations

from shopmesh.appmesh.store import Document, Key, View


def check_name(key: Key, view: View) -> None:
    """The rules for the name of a new resource."""


def check(key: Key, spec: Document, view: View) -> None:
    """The rules for a specification."""
