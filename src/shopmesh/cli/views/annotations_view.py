"""Shows annotations in the form in which users write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.annotations.tag_chunks import join_all

MAX_LENGTH = 80


def format_annotations(tags: Mapping[str, str]) -> Iterator[str]:
    """Lines such as `mirror: product-v2-vn 10%`; long ones are truncated."""
    for name, text in join_all(tags).items():
        if name.startswith(PREFIX):
            yield f"{name.removeprefix(PREFIX)}: {text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + '…'}"
