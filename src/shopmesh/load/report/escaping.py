"""Escapes text for the HTML report."""

from __future__ import annotations

import html

from shopmesh.output.printable import printable


def escape(text: str) -> str:
    """As `html.escape`; unprintable characters, which could reorder or hide text, are shown as escapes."""
    return html.escape(printable(text))
