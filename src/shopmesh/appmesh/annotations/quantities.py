"""The small amounts that several words have: a share of the requests, a length of time."""

from __future__ import annotations

import re
from decimal import Decimal

from shopmesh.appmesh.annotations.annotation import AnnotationError
from shopmesh.appmesh.texts import parse_seconds

MILLION = 1_000_000
_SHARE = re.compile(r"(?:(?P<before>.*\S)\s+)?(?P<share>[0-9]{1,3}(?:\.[0-9]{1,4})?)%", re.DOTALL)
LONGEST_MILLISECONDS = 3_600_000


def split_share(text: str) -> tuple[str, int]:
    """What stands before a share at the end of a text, and the share in millionths; all of them where none stands."""
    found = _SHARE.fullmatch(text.strip())
    if found is None:
        if "%" in text:
            raise AnnotationError("a share is a percentage at the end, such as 5%, with up to four decimals")
        return text.strip(), MILLION
    share = int(Decimal(found["share"]) * 10_000)
    if not 0 < share <= MILLION:
        raise AnnotationError(f"{found['share']}% is out of range; allowed are shares over 0%, up to 100%")
    return found["before"] or "", share


def milliseconds(text: str) -> int:
    """`2s`, `1.5s`, `250ms`, up to an hour."""
    length = (parse_seconds(text) or Decimal(0)) * 1000
    if length != int(length) or not 1 <= length <= LONGEST_MILLISECONDS:
        raise AnnotationError(f"{text!r} is not a duration from 1ms to 1h, such as 2s or 250ms")
    return int(length)
