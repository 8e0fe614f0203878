"""Verdicts against simulated truth: thousands of canaries, each judged once a simulated second.

The plan is the usual one with a bound on p99 as well. Each canary has 100 requests a second, stable and new together.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from shopmesh.canary.plan import CanaryPlan
from tests.bench.report import quantile, table
from tests.unit.canary.simulated import Outcome, Truth, simulate

PLAN = CanaryPlan("v2", max_p99=300.0)
RATE = 100
CASES = (
    ("as good as stable (0.1 % errors)", Truth(0.001), Truth(0.001)),
    ("as good as stable (0.5 % errors)", Truth(0.005), Truth(0.005)),
    ("3 % errors", Truth(0.03), Truth(0.001)),
    ("5 % errors", Truth(0.05), Truth(0.001)),
    ("20 % errors", Truth(0.2), Truth(0.001)),
    ("100 % errors", Truth(1.0), Truth(0.001)),
    ("5 % slower than the bound", Truth(0.001, 0.05), Truth(0.001)),
    ("all slower than the bound", Truth(0.001, 1.0), Truth(0.001)),
)


def measure(canaries: int) -> str:
    """How many were promoted, and what finding the others took."""
    rows = []
    with ProcessPoolExecutor() as processes:
        for name, canary, stable in CASES:
            run = partial(_simulated, canary, stable)
            outcomes = list(processes.map(run, range(canaries), chunksize=200))
            rows.append([name, *_told(outcomes)])
    return table(["the new version", "promoted", "seconds until rolled back, p50 / p99", "lost, p50 / p99"], rows)


def _simulated(canary: Truth, stable: Truth, seed: int) -> Outcome:
    return simulate(PLAN, canary, stable, RATE, seed)


def _told(outcomes: list[Outcome]) -> list[str]:
    promoted = sum(outcome.promoted for outcome in outcomes)
    back = [outcome for outcome in outcomes if not outcome.promoted]
    share = f"{promoted} of {len(outcomes)}"
    if not back:
        return [share, "-", "-"]
    seconds, lost = [float(one.seconds) for one in back], [float(one.lost) for one in back]
    return [share, *(f"{quantile(values, 0.5):.0f} / {quantile(values, 0.99):.0f}" for values in (seconds, lost))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=10_000)
    print(measure(parser.parse_args().canaries))


if __name__ == "__main__":
    main()
