"""Retry policies: App Mesh's events as Envoy's conditions."""

from __future__ import annotations

from envoy.config.route.v3.route_components_pb2 import RetryPolicy
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.resolved import Retry
from shopmesh.xds.resources import pack_any
from shopmesh.xds.translate.durations import milliseconds

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


def policy(retry: Retry) -> RetryPolicy:
    """The retry policy of a route, or of a virtual service that a node provides."""
    conditions = {condition for event in retry.events for condition in _CONDITIONS.get(event, ())}
    retry_policy = RetryPolicy(
        retry_on=",".join(condition for condition in _ORDER if condition in conditions),
        retriable_status_codes=retry.statuses,
        # Always set: Envoy's default is one retry.
        num_retries=UInt32Value(value=retry.retries),
        host_selection_retry_max_attempts=_HOST_ATTEMPTS,
        retry_host_predicate=[
            RetryPolicy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts", typed_config=pack_any(PreviousHostsPredicate())
            )
        ],
    )
    if retry.per_try_ms is not None:
        retry_policy.per_try_timeout.CopyFrom(milliseconds(retry.per_try_ms))
    return retry_policy
