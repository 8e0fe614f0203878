"""Rate limits, which each proxy applies for itself."""

from __future__ import annotations

import re
from typing import NamedTuple

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError

_SECONDS = {"s": 1, "min": 60, "h": 3600}
_LIMIT = re.compile(r"([1-9][0-9]{0,8})/(s|min|h)(?:\s+burst\s+([1-9][0-9]{0,8}))?")


class RateLimit(NamedTuple):
    """So many `requests` in `seconds`, and up to `burst` at once."""

    requests: int
    seconds: int
    burst: int


def parse(text: str) -> RateLimit:
    found = _LIMIT.fullmatch(text.strip())
    if found is None:
        raise AnnotationError("it is not a rate in requests per s, min or h, with or without a burst")
    requests = int(found[1])
    return RateLimit(requests, _SECONDS[found[2]], int(found[3] or requests))


RATE_LIMIT = Annotation(
    "rate-limit",
    ("route", "virtualService", "virtualNode", "virtualGateway"),
    "each proxy accepts this many requests and answers 429 to the rest",
    "100/s burst 200",
    parse,
)
