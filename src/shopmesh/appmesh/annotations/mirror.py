"""Traffic mirroring: copies of requests for another virtual node, whose responses are dropped."""

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
        raise AnnotationError("it does not name a virtual node")
    return Mirror(node, share)


MIRROR = Annotation(
    "mirror",
    ("route", "virtualService"),
    "sends a copy of the requests to this virtual node as well; its responses are dropped",
    "product-v2-vn 10%",
    parse,
)
