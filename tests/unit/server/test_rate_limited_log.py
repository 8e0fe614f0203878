"""How much is said of proxies that are turned away."""

from __future__ import annotations

import logging

import pytest

from shopmesh.server.grpc.rate_limited_log import MOST_LINES, SECONDS, RateLimitedLog

log = logging.getLogger(__name__)


def test_a_problem_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """One that comes again at once is only counted, another is told beside it, and the next time the number is said."""
    now = 100.0
    rejections = RateLimitedLog(log, lambda: now)
    for _ in range(5):
        rejections.warn("ipv4:10.0.0.1:1", "a wrong node")
    rejections.warn("ipv4:10.0.0.2:1", "no token")
    now += SECONDS
    rejections.warn("ipv4:10.0.0.1:2", "a wrong node")

    assert [
        "refused ipv4:10.0.0.1:1 (and 0 more since the last such line): a wrong node",
        "refused ipv4:10.0.0.2:1 (and 4 more since the last such line): no token",
        "refused ipv4:10.0.0.1:2 (and 0 more since the last such line): a wrong node",
    ] == caplog.messages


def test_thousands_of_problems_are_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends a new node's name each time fills neither the log nor the memory."""
    rejections = RateLimitedLog(log, lambda: 100.0)
    for number in range(5_000):
        rejections.warn("ipv4:10.0.0.1:1", f"node {number}")

    assert MOST_LINES == len(caplog.messages)
