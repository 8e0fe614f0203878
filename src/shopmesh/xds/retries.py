"""Retry policies: App Mesh's events as Envoy's conditions."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.route.v3.route_components_pb2 import RetryPolicy
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.store import Document
from shopmesh.xds.durations import duration
from shopmesh.xds.resources import packed

_HTTP_STATUSES = {
    "server-error": (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511),
    "gateway-error": (502, 503, 504),
    "client-error": (409,),
}
_CONDITIONS = {
    "connection-error": ("connect-failure",),
    "server-error": ("reset", "retriable-status-codes"),
    "gateway-error": ("reset", "retriable-status-codes"),
    "client-error": ("retriable-status-codes",),
    "stream-error": ("refused-stream",),
    "cancelled": ("cancelled",),
    "deadline-exceeded": ("deadline-exceeded",),
    "internal": ("internal",),
    "resource-exhausted": ("resource-exhausted",),
    "unavailable": ("unavailable",),
}
_ORDER = (
    "connect-failure",
    "reset",
    "refused-stream",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "retriable-status-codes",
)
_HOST_ATTEMPTS = 5


def default() -> RetryPolicy:
    """What App Mesh does where no policy is written, also for a virtual service provided by a node.

    Two retries on gRPC UNAVAILABLE, HTTP 503, connect-failure, refused-stream and reset (user guide, envoy-defaults).
    """
    return _policy(
        ("connect-failure", "reset", "refused-stream", "unavailable", "retriable-status-codes"), (503,), retries=2
    )


def explicit(document: Document) -> RetryPolicy:
    """Of a route's `retryPolicy`; nothing of the default is added to it."""
    events = [
        *document.get("httpRetryEvents", ()),
        *document.get("tcpRetryEvents", ()),
        *document.get("grpcRetryEvents", ()),
    ]
    policy = _policy(
        {condition for event in events for condition in _CONDITIONS.get(event, ())},
        {status for event in events for status in _HTTP_STATUSES.get(event, ())},
        # Always written: Envoy takes an absent number for one retry.
        retries=document["maxRetries"],
    )
    if "perRetryTimeout" in document:
        policy.per_try_timeout.CopyFrom(duration(document["perRetryTimeout"]))
    return policy


def _policy(conditions: Iterable[str], statuses: Iterable[int], retries: int) -> RetryPolicy:
    wanted = set(conditions)
    return RetryPolicy(
        retry_on=",".join(condition for condition in _ORDER if condition in wanted),
        retriable_status_codes=sorted(set(statuses)),
        num_retries=UInt32Value(value=retries),
        host_selection_retry_max_attempts=_HOST_ATTEMPTS,
        retry_host_predicate=[
            RetryPolicy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts", typed_config=packed(PreviousHostsPredicate())
            )
        ],
    )
