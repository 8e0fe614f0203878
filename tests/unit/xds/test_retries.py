"""App Mesh's retry events as Envoy's conditions (its table 1.3)."""

from __future__ import annotations

from typing import cast

import pytest

from shopmesh.appmesh.document_types import RetryPolicyDocument
from shopmesh.appmesh.resolved import DEFAULT_RETRY, retry
from shopmesh.xds.translate.http import retries


def test_the_default_policy() -> None:
    """Two retries on UNAVAILABLE, 503, connect-failure, refused-stream, reset."""
    made = retries.policy(DEFAULT_RETRY)

    assert set(made.retry_on.split(",")) == {
        "connect-failure",
        "refused-stream",
        "reset",
        "unavailable",
        "retriable-status-codes",
    }
    assert (list(made.retriable_status_codes), made.num_retries.value) == ([503], 2)
    assert [one.name for one in made.retry_host_predicate] == ["envoy.retry_host_predicates.previous_hosts"]
    assert made.host_selection_retry_max_attempts == 5


def test_the_policy_of_a_captured_configuration() -> None:
    """What a real App Mesh made of gateway-error, client-error and stream-error."""
    made = retries.policy(
        retry(
            {
                "httpRetryEvents": ["gateway-error", "client-error", "stream-error"],
                "maxRetries": 1,
                "perRetryTimeout": {"unit": "s", "value": 5},
            }
        )
    )

    assert made.retry_on == "reset,refused-stream,retriable-status-codes"
    assert set(made.retriable_status_codes) == {502, 503, 504, 409}
    assert (made.num_retries.value, made.per_try_timeout.seconds) == (1, 5)


@pytest.mark.parametrize(
    ("events", "conditions", "statuses"),
    [
        (
            {"httpRetryEvents": ["server-error"]},
            "reset,retriable-status-codes",
            [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
        ),
        ({"httpRetryEvents": ["client-error"]}, "retriable-status-codes", [409]),
        ({"tcpRetryEvents": ["connection-error"]}, "connect-failure", []),
        (
            {"grpcRetryEvents": ["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"]},
            "cancelled,deadline-exceeded,internal,resource-exhausted,unavailable",
            [],
        ),
    ],
)
def test_each_event(events: dict[str, list[str]], conditions: str, statuses: list[int]) -> None:
    """One row of the table; nothing of the default is added."""
    made = retries.policy(retry(cast(RetryPolicyDocument, {**events, "maxRetries": 0})))

    assert (made.retry_on, list(made.retriable_status_codes)) == (conditions, statuses)
    assert made.HasField("num_retries"), "absent would mean one retry"
