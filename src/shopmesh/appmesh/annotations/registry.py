"""All annotations by name. A new one is a module named here, and its effect one in `xds.translate.effects.annotate`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shopmesh.appmesh.annotations.annotation import Annotation
from shopmesh.appmesh.annotations.faults import FAULT_ABORT, FAULT_DELAY
from shopmesh.appmesh.annotations.headers import (
    REQUEST_HEADERS_ADD,
    REQUEST_HEADERS_REMOVE,
    RESPONSE_HEADERS_ADD,
    RESPONSE_HEADERS_REMOVE,
)
from shopmesh.appmesh.annotations.mirror import MIRROR
from shopmesh.appmesh.annotations.panic_threshold import PANIC_THRESHOLD
from shopmesh.appmesh.annotations.patch import PATCH
from shopmesh.appmesh.annotations.rate_limit import RATE_LIMIT
from shopmesh.appmesh.annotations.retry_budget import RETRY_BUDGET
from shopmesh.appmesh.annotations.service_account import SERVICE_ACCOUNT

ANNOTATIONS: Mapping[str, Annotation] = MappingProxyType(
    {
        annotation.name: annotation
        for annotation in (
            MIRROR,
            FAULT_DELAY,
            FAULT_ABORT,
            REQUEST_HEADERS_ADD,
            REQUEST_HEADERS_REMOVE,
            RESPONSE_HEADERS_ADD,
            RESPONSE_HEADERS_REMOVE,
            RATE_LIMIT,
            PANIC_THRESHOLD,
            RETRY_BUDGET,
            PATCH,
            SERVICE_ACCOUNT,
        )
    }
)
