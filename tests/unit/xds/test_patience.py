"""A route's time-out that the listener behind it cuts short is told."""

from __future__ import annotations

import pytest

from shopmesh.appmesh.store import Document
from shopmesh.xds.patience import cut_short
from tests.unit.xds.meshes import listener, node, route, shop
from tests.unit.xds.test_translation import translated


def of(**seconds: int) -> Document:
    return {name: {"unit": "s", "value": value} for name, value in seconds.items()}


@pytest.mark.parametrize(
    ("asked", "allowed", "protocol", "cut"),
    [
        ({}, {}, "http", []),
        ({"perRequest": 15, "idle": 300}, {}, "http", []),
        ({"perRequest": 16}, {}, "http", [("perRequest", 16_000, 15_000, False)]),
        ({"perRequest": 0}, {}, "grpc", [("perRequest", 0, 15_000, False)]),
        ({"perRequest": 16}, {"perRequest": 16}, "http", []),
        ({"perRequest": 16}, {"perRequest": 0}, "http", []),
        ({"perRequest": 5}, {"perRequest": 4}, "http2", [("perRequest", 5000, 4000, True)]),
        ({"idle": 301}, {"perRequest": 1}, "http", [("idle", 301_000, 300_000, False)]),
        ({"idle": 301}, {}, "tcp", []),
        ({"idle": 0}, {"idle": 5}, "tcp", [("idle", 0, 5000, True)]),
    ],
)
def test_the_shorter_end_decides(
    asked: dict[str, int], allowed: dict[str, int], protocol: str, cut: list[tuple[str, int, int, bool]]
) -> None:
    """19: only what a route writes is held against the listener, whose default counts as well; 0 is for ever."""
    assert cut == list(cut_short(of(**asked), of(**allowed), protocol))


def test_a_route_that_waits_longer_than_its_targets_is_told() -> None:
    """19: with the listener to change; a target without weight is no matter yet, and of requests the documents tell."""
    waits = route("product-r", "all", {"product": 1, "product-v2": 0}, timeout=of(idle=900, perRequest=900))
    short, long = (listener(timeout={"http": of(idle=seconds)}) for seconds in (600, 900))

    assert [] == [one.what for one in translated([*shop(), waits, node("product", [long])]).limitations]
    assert ["waits for 900 s (idle), and the listener of product on port 5000 for 600 s"] == [
        one.what for one in translated([*shop(), waits, node("product", [short])]).limitations
    ]
    assert [
        "waits for 900 s (idle), and the listener of product on port 5000 for 300 s, as it does where nothing is "
        "written"
    ] == [one.what for one in translated([*shop(), waits]).limitations]
