"""Collects the problems of a template during its evaluation, so that all of them are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from shopmesh.documents.text.sources import DocumentError, combine_errors

FAILED: Any = object()
"""What stands for a part that could not be evaluated; why is among the problems."""

MOST_PROBLEMS = 100
"""After so many the evaluation ends: each takes the time to find its line."""


class EvaluationLimitError(Exception):
    """A template that takes too much to evaluate, or has too many problems, which ends the evaluation."""

    def __init__(self, errors: Iterable[DocumentError]) -> None:
        self.errors = tuple(errors)


class Problems:
    """The problems of one template. `count` grows with each, and with each use of what failed before."""

    def __init__(self) -> None:
        self.count = 0
        self._found: dict[str, DocumentError] = {}

    def add(self, error: DocumentError) -> None:
        """Records a problem; the same text twice is one. Raises all of them when there are too many."""
        self.count += 1
        self._found.setdefault(str(error), error)
        if len(self._found) >= MOST_PROBLEMS:
            raise EvaluationLimitError(self._found.values())

    def attempt(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, or FAILED where a part of it fails.

        What it raises is recorded, unless it only follows from what was recorded meanwhile.
        """
        before = self.count
        try:
            value = work()
        except DocumentError as error:
            if self.count == before:
                self.add(error)
            return FAILED
        return value if self.count == before else FAILED

    def once(self, cache: dict[Any, Any], key: Any, work: Callable[[], Any]) -> Any:
        """As `attempt`, from `cache` where it was done already."""
        if key not in cache:
            cache[key] = self.attempt(work)
        elif cache[key] is FAILED:
            self.count += 1
        return cache[key]

    def raise_all(self) -> None:
        """Raises a `DocumentError` of all of them, if there are any."""
        if self._found:
            raise combine_errors(self._found.values())
