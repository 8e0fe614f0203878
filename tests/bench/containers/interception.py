"""Interception against explicit proxying: the same order through the same five Envoys, in rounds that alternate.

Explicit is `shopmesh up` on this machine; intercepted is Compose, with iptables, a bridge and published ports between.
"""

from __future__ import annotations

import argparse

from tests.bench.mesh.compared import compared
from tests.bench.mesh.running import answered, mesh
from tests.containers.stack import Stack
from tests.support.process import eventually


def measure(rounds: int, seconds: float) -> str:
    """Latency with one user, orders a second with eight; each round measures both ways one after the other."""
    stack = Stack(envoy=None)
    try:
        stack.compose("up", "--build", "--detach", timeout=900)
        eventually(lambda: answered(stack.port), "the first answer", 60)
        with mesh() as explicit:
            return compared({"explicit": explicit.way_in, "intercepted": stack.port}, rounds, seconds)
    finally:
        # Not the images: the stock Envoy and its like were there before.
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    print(measure(arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
