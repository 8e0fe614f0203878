"""When callers ignore which instances of a virtual node are unhealthy.

https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/upstream/load_balancing/panic_threshold
"""

from __future__ import annotations

import re

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError

_PERCENT = re.compile(r"(100|[0-9]{1,2})%")


def parse(text: str) -> int:
    """In percent."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise AnnotationError("it is not a whole percentage from 0% to 100%")
    return int(found[1])


PANIC_THRESHOLD = Annotation(
    "panic-threshold",
    ("virtualNode",),
    "its callers send requests to unhealthy instances as well once fewer than this share is healthy: 50% where it is "
    "not set, never with 0%",
    "0%",
    parse,
)
