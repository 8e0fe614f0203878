"""How many of a caller's requests to a virtual node may be retries, so that retries cannot become the larger load."""

from __future__ import annotations

import re
from typing import NamedTuple

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError

LEAST_RETRIES = 3
"""Envoy's own default."""

_BUDGET = re.compile(r"(100|[1-9]?[0-9])%(?:\s+min\s+([0-9]{1,9}))?")


class RetryBudget(NamedTuple):
    """Retries may be `percent` of the requests in flight, and `least` of them are allowed in any case."""

    percent: int
    least: int


def parse(text: str) -> RetryBudget:
    found = _BUDGET.fullmatch(text.strip())
    if found is None:
        raise AnnotationError("it is not a whole percentage of the requests in flight, with or without a minimum")
    return RetryBudget(int(found[1]), LEAST_RETRIES if found[2] is None else int(found[2]))


RETRY_BUDGET = Annotation(
    "retry-budget",
    ("virtualNode",),
    "of the requests that a caller's proxy has in flight to it, this share may be retries, or this many (3) if that is "
    "more",
    "20% min 10",
    parse,
)
