"""Output to terminals and pipes whose encoding lacks characters, such as ASCII: nothing fails for that reason."""

from __future__ import annotations

import codecs
import json
import sys
from io import TextIOWrapper

_HANDLER = "shopmesh.nearest"
_NEAREST = {"…": "...", "→": "->", "≤": "<=", "≥": ">=", "─": "-", "│": "|", "█": "#", "✓": "+", "✗": "x", "²": "2"}


def write_any_character() -> None:
    """Makes standard output and error write each character that they cannot encode as its nearest, or as an escape."""
    codecs.register_error(_HANDLER, _encode_nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors=_HANDLER)


def _encode_nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    # The escapes are those of JSON: JSON that is written so is the same value.
    return "".join(_NEAREST.get(one) or json.dumps(one)[1:-1] for one in lacking), error.end
