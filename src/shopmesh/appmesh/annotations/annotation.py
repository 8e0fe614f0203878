"""What one word of the vocabulary is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class AnnotationError(ValueError):  # it becomes a BadRequest, with the tag's name
    """A text that says nothing this word can mean; the message says what is wrong with it."""


@dataclass(frozen=True)
class Annotation:
    """`kinds` are those of resources that may carry it; `parse` makes a value of its text or raises `AnnotationError`.

    `description` and `example` are for error messages and docs/beyond.md.
    """

    name: str
    kinds: tuple[str, ...]
    description: str
    example: str
    parse: Callable[[str], object]
