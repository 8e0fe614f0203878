"""Annotations as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.annotations.tag_chunks import join_all

MAX_LENGTH = 80


def format_annotations(tags: Mapping[str, str]) -> Iterator[str]:
    """`mirror: product-v2-vn 10%`, one after another; what is long is cut."""
    for name, text in join_all(tags).items():
        if name.startswith(PREFIX):
            yield f"{name.removeprefix(PREFIX)}: {text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + '…'}"
