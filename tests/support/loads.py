"""Loads that never were: records whose truth is known, for reports to be held to."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from shopmesh.load.engine.plan import constant_plan
from shopmesh.load.engine.results import LoadResults
from shopmesh.load.judgement.weights import WeightSetting
from shopmesh.load.report.result_file import LoadRecord

Failure = Callable[[float, str], int | None]


def simulated(
    settings: Sequence[WeightSetting],
    truth: Mapping[float, float],
    rate: float = 200,
    seconds: float = 30.0,
    failure: Failure = lambda at, version: None,
    seed: int = 1,
) -> LoadRecord:
    """Orders that ask product 1.0 or 2.0; `truth` is the real share of 2.0 from each second on.

    `failure` gives the status of a request that fails, by its time and version.
    """
    draw, tally = random.Random(seed), LoadResults()
    plan = constant_plan(rate, seconds)
    for at in plan.due_times():
        share = [value for begin, value in truth.items() if at >= begin][-1]
        product = "product/2.0" if draw.random() < share else "product/1.0"
        status = failure(at, product) or 200
        latency = draw.lognormvariate(-4.6 if product == "product/1.0" else -4.2, 0.5)
        flags = b"UF" if status == 503 else None
        tally.record_sent(0.00004, queued=False)
        tally.record_response(
            status, (flags, b"order/1.0", f"customer/1.0, {product}".encode()), b"", at, latency, latency
        )
    return LoadRecord(
        urls=["http://127.0.0.1:8080/"],
        plan=plan,
        results=tally,
        due=tally.ended,
        seconds=seconds,
        cpu=0.05,
        connections=100,
        settings=settings,
        about={"machine": "simulated", "seed": str(seed)},
    )


def product(share: float) -> dict[str, dict[str, float]]:
    """What the mesh was told to do with product."""
    return {"product": {"product/1.0": 1 - share, "product/2.0": share}}


def canary() -> LoadRecord:
    """Product 2.0 goes from nothing to a quarter and to a half, and fails now and then."""
    settings = [
        WeightSetting(-1.0, -1.0, product(0.0)),
        WeightSetting(10.0, 10.012, product(0.25), "route shopmesh/product-vr/product-r", 1),
        WeightSetting(20.0, 20.008, product(0.5), "route shopmesh/product-vr/product-r", 1),
    ]

    def failure(at: float, version: str) -> int | None:
        return (503 if int(at * 200) % 97 == 0 else None) if version == "product/2.0" else None

    return simulated(settings, {0.0: 0.0, 10.006: 0.25, 20.004: 0.5}, failure=failure)
