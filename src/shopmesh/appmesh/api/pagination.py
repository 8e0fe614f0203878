"""Lists in pages: a token names the last entry shown, so pages stay right while entries come and go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.errors import BadRequest

T = TypeVar("T")

LONGEST_TOKEN = 4096


def page(
    entries: Sequence[T], name: Callable[[T], str], listing: str, limit: int, token: str | None
) -> tuple[Sequence[T], str | None]:
    """The entries after the token's, sorted by name, at most `limit`, and the token of the next page if there is one.

    `listing` says what is listed; a token of another list is refused with BadRequest, as is one that is none.
    """
    if token is not None:
        after = _read(token, listing)
        entries = [entry for entry in entries if name(entry) > after]
    shown = entries[:limit]
    return shown, _write(listing, name(shown[-1])) if len(entries) > limit else None


def _write(listing: str, after: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([listing, after]).encode()).decode()


def _read(token: str, listing: str) -> str:
    try:
        if len(token) > LONGEST_TOKEN:
            raise ValueError("too long")
        value = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        value = None
    match value:
        case [str(of), str(after)] if of == listing:
            return after
    raise BadRequest(f"nextToken: {quote(token)} is not a token of this list; leave it out to start from the beginning")
