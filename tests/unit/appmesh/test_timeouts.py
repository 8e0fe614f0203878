"""A route's time-out that the listener behind it cuts short."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh import findings
from shopmesh.appmesh.resolved import shortened_route_timeouts, timeouts
from shopmesh.appmesh.store import Document, State
from tests.unit.xds.meshes import listener, node, route, shop


def of(**seconds: int) -> Any:
    return {name: {"unit": "s", "value": value} for name, value in seconds.items()}


@pytest.mark.parametrize(
    ("asked", "allowed", "protocol", "cut"),
    [
        ({}, {}, "http", []),
        ({"perRequest": 15, "idle": 300}, {}, "http", []),
        ({"perRequest": 16}, {}, "http", [("perRequest", 16_000, 15_000)]),
        ({"perRequest": 0}, {}, "grpc", [("perRequest", 0, 15_000)]),
        ({"perRequest": 16}, {"perRequest": 16}, "http", []),
        ({"perRequest": 16}, {"perRequest": 0}, "http", []),
        ({"perRequest": 5}, {"perRequest": 4}, "http2", [("perRequest", 5000, 4000)]),
        ({"idle": 301}, {"perRequest": 1}, "http", [("idle", 301_000, 300_000)]),
        ({"idle": 301}, {}, "tcp", []),
        ({"idle": 0}, {"idle": 5}, "tcp", [("idle", 0, 5000)]),
    ],
)
def test_the_shorter_end_decides(
    asked: dict[str, int], allowed: dict[str, int], protocol: str, cut: list[tuple[str, int, int]]
) -> None:
    """19: only what a route writes is held against the listener, whose default counts as well; 0 is for ever."""
    assert cut == list(shortened_route_timeouts(timeouts(of(**asked)), timeouts(of(**allowed)), protocol))


def test_a_time_out_without_a_value_is_off() -> None:
    """Terraform's provider leaves a value of 0 out."""
    assert timeouts(of(perRequest=0, idle=0)) == timeouts({"perRequest": {"unit": "s"}, "idle": {"unit": "s"}})


def test_a_route_that_waits_longer_than_its_target_is_a_finding() -> None:
    """19: with the listener to change, for idle time as for requests."""
    waits = route("product-r", "all", {"product": 1}, timeout=of(idle=900))
    short, long = (listener(timeout={"http": of(idle=seconds)}) for seconds in (600, 900))

    def found(*more: Document) -> list[tuple[str, str]]:
        nodes = [node("product", [one]) for one in more]
        state = State([*shop(), waits, *nodes])
        return [(one.code, one.what) for one in findings.of_documents(state)]

    assert [] == found(long)
    assert [("SM117", "allows 900 s, and port 5000 of product 600 s")] == found(short)
    assert [("SM117", "allows 900 s, and port 5000 of product 300 s")] == found()
