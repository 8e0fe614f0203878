"""What a user may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_LISTED = 20


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, None if none is."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return close[0] if close else None


def suggest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'product'?`, or which names there are."""
    names = sorted(set(known))
    if close := closest(name, names):
        return f"did you mean {close!r}?"
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"there: {', '.join(names[:MAX_LISTED]) or 'none'}{more}"
