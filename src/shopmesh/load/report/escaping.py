"""Text in a page: nothing in it is markup, and nothing reorders or hides what is read."""

from __future__ import annotations

import html

from shopmesh.output.printable import printable


def escape(text: str) -> str:
    """As `html.escape`, with what is not printable shown."""
    return html.escape(printable(text))
