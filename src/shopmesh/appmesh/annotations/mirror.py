"""A copy of the requests for another virtual node, whose answers nobody sees."""

from __future__ import annotations

from typing import NamedTuple

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError
from shopmesh.appmesh.annotations.quantities import split_share


class Mirror(NamedTuple):
    """`share` in millionths."""

    node: str
    share: int


def parse(text: str) -> Mirror:
    node, share = split_share(text)
    if not node:
        raise AnnotationError("it names no virtual node")
    return Mirror(node, share)


MIRROR = Annotation(
    "mirror",
    ("route", "virtualService"),
    "a copy of the requests goes to that virtual node as well; its answers are dropped",
    "product-v2-vn 10%",
    parse,
)
