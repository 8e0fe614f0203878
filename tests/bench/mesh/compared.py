"""Two ways to the same order, compared in rounds that alternate."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bench.report import spread, table
from tests.bench.services.load import load


def compared(ports: Mapping[str, int], rounds: int, seconds: float) -> str:
    """A table of latency with one user and orders a second with eight, and the ratio of the second way to the first.

    `ports` maps each way's heading to the port of its order; both are warmed up first.
    """
    p50: dict[str, list[float]] = {way: [] for way in ports}
    rate: dict[str, list[float]] = {way: [] for way in ports}
    for port in ports.values():
        load(port, "/orders/1", 8, 2)
    for _ in range(rounds):
        for way, port in ports.items():
            p50[way].append(load(port, "/orders/1", 1, seconds).percentile(0.5))
            rate[way].append(load(port, "/orders/1", 8, seconds).rate)
    rows = []
    for name, found, digits in (("p50 of one order, one user, ms", p50, 2), ("orders a second, eight users", rate, 0)):
        first, second = found.values()
        ratio = [b / a for a, b in zip(first, second, strict=True)]
        rows.append([name, spread(first, digits), spread(second, digits), spread(ratio, 2)])
    return table(["median (least to most)", *ports, "ratio"], rows)
