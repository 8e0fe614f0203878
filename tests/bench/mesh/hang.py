"""What a hang of an application costs: one of two instances of product 2.0, then both of them, under constant load.

Product 2.0 has half of the requests, which go through order's Envoy. Only those that begin during the hang count.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

from tests.bench.report import quantile, table
from tests.support.hangs import Answer, Product, Shop, running_shop
from tests.support.process import eventually

HEAD = ("hung", "requests", "failed", "p50 ms", "p99 ms", "slowest ms", "failed without waiting: p50 ms")


def measure(rate: float, seconds: float) -> str:
    with running_shop() as shop:
        rows = [
            _row("one of two instances", _hang(shop, rate, seconds, shop.second[:1])),
            _row("the whole version", _hang(shop, rate, seconds, shop.second)),
        ]
    return table(HEAD, rows)


def _hang(shop: Shop, rate: float, seconds: float, hung: Sequence[Product]) -> list[Answer]:
    with contextlib.ExitStack() as stack:
        for one in hung:
            stack.enter_context(one.hung())
        answers = shop.load(int(rate * seconds), rate)
    eventually(lambda: shop.all_serve, "all instances take requests again", 60)
    return answers


def _row(what: str, answers: Sequence[Answer]) -> list[object]:
    took = [one.seconds * 1e3 for one in answers]
    failed = sum(one.status != 200 for one in answers)
    at_once = [one.seconds * 1e3 for one in answers if one.flags == "UH"]
    return [
        what,
        len(answers),
        f"{failed} ({failed / len(answers):.1%})",
        *(f"{quantile(took, share):.0f}" for share in (0.5, 0.99)),
        f"{max(took):.0f}",
        f"{quantile(at_once, 0.5):.1f}" if at_once else "-",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second (default 60)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each hang lasts (default 20)")
    arguments = parser.parse_args()
    print(measure(arguments.rate, arguments.seconds))


if __name__ == "__main__":
    main()
