"""Interception against explicit proxying: the same order through the same five Envoys, in rounds that alternate.

Explicit is `shopmesh up` on this machine; intercepted is Compose, with iptables, a bridge and published ports between.
"""

from __future__ import annotations

import argparse

from tests.bench.mesh.running import answered, mesh
from tests.bench.report import spread, table
from tests.bench.services.load import load
from tests.containers.stack import Stack
from tests.support.process import eventually


def measure(rounds: int, seconds: float) -> str:
    """Latency with one user, orders a second with eight; each round measures both ways one after the other."""
    p50: dict[str, list[float]] = {"explicit": [], "intercepted": []}
    rate: dict[str, list[float]] = {"explicit": [], "intercepted": []}
    stack = Stack(envoy=None)
    try:
        stack.compose("up", "--build", "--detach", timeout=900)
        eventually(lambda: answered(stack.port), "the first answer", 60)
        with mesh() as explicit:
            ports = {"explicit": explicit.way_in, "intercepted": stack.port}
            for port in ports.values():
                load(port, "/orders/1", 8, 2)
            for _ in range(rounds):
                for way, port in ports.items():
                    p50[way].append(load(port, "/orders/1", 1, seconds).percentile(0.5))
                    rate[way].append(load(port, "/orders/1", 8, seconds).rate)
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "0", "--rmi", "all", check=False)
    rows = []
    for name, found, digits in (("p50 of one order, one user, ms", p50, 2), ("orders a second, eight users", rate, 0)):
        ratio = [b / a for a, b in zip(found["explicit"], found["intercepted"], strict=True)]
        rows.append([name, *(spread(values, digits) for values in found.values()), spread(ratio, 2)])
    return table(["median (least to most)", "explicit", "intercepted", "ratio"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    print(measure(arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
