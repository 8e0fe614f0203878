"""Retry policies: which events a route retries on, and how often."""

from __future__ import annotations

from typing import NamedTuple

from shopmesh.appmesh.document_types import RetryPolicyDocument
from shopmesh.appmesh.resolved.durations import written_ms

_STATUSES = {
    "server-error": (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511),
    "gateway-error": (502, 503, 504),
    "client-error": (409,),
}
"""https://docs.aws.amazon.com/app-mesh/latest/userguide/routes.html"""


GRPC_EVENTS = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")


class Retry(NamedTuple):
    """`events` are App Mesh's, `statuses` the HTTP answers that are retried; `per_try_ms` is None where unwritten."""

    retries: int
    events: tuple[str, ...]
    statuses: tuple[int, ...]
    per_try_ms: int | None = None
    written: bool = True


DEFAULT_RETRY = Retry(
    2, ("connection-error", "gateway-error", "stream-error", "unavailable"), statuses=(503,), written=False
)
"""Where no policy is written, also for a virtual service that a node provides.

https://docs.aws.amazon.com/app-mesh/latest/userguide/envoy-defaults.html
"""


def retry(document: RetryPolicyDocument | None) -> Retry:
    """Of a route's `retryPolicy`; a written one takes nothing from the default."""
    if document is None:
        return DEFAULT_RETRY
    by_protocol = (document.get("httpRetryEvents"), document.get("tcpRetryEvents"), document.get("grpcRetryEvents"))
    events = [event for written in by_protocol for event in written or ()]
    statuses = {status for event in events for status in _STATUSES.get(event, ())}
    per_try_ms = written_ms(document.get("perRetryTimeout"))
    return Retry(document["maxRetries"], tuple(events), tuple(sorted(statuses)), per_try_ms)
