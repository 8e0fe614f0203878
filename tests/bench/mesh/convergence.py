"""How soon a weight change acts: from the API's answer to the last ACK, and to the first request on the new split.

The control plane times the ACKs, from the commit, which is before the answer. For the first request one connection
asks again and again while all of product's traffic moves from one version to the other.
"""

from __future__ import annotations

import argparse
import http.client
import time

from tests.bench.mesh.running import Mesh, mesh
from tests.bench.report import quantile, table


def measure(changes: int) -> str:
    acks, requests, asked = [], [], []
    with mesh() as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.way_in)
        for number in range(changes):
            canary = 0 if number % 2 else 100
            began = time.perf_counter()
            revision = running.weigh("product", product_vn=100 - canary, product_v2_vn=canary)
            answered = time.perf_counter()
            asked.append((answered - began) * 1e3)
            requests.append(_until(connection, "product/2.0" if canary else "product/1.0") - answered)
            acks.append(_converged(running, revision))
        connection.close()
    rows = [
        [name, *(f"{quantile(values, share):.1f}" for share in (0.5, 0.9, 0.99)), f"{max(values):.1f}"]
        for name, values in (
            ("the API call itself (durable before it is answered)", asked),
            ("commit to the last ACK", acks),
            ("answer to the first request on the new split", [value * 1e3 for value in requests]),
        )
    ]
    return table([f"milliseconds, {changes} changes", "p50", "p90", "p99", "worst"], rows)


def _until(connection: http.client.HTTPConnection, version: str) -> float:
    """When the first answer of that version had come; it took one request, which began before."""
    for _ in range(10_000):
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        if version in response.getheader("x-peer-versions", ""):
            return time.perf_counter()
    raise AssertionError(f"{version} never answered")


def _converged(running: Mesh, revision: int) -> float:
    change = running.client.wait_converged(revision)
    milliseconds = change["milliseconds"]
    if milliseconds is None:
        raise AssertionError(f"change {revision} did not converge: {change}")
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100)
    print(measure(parser.parse_args().changes))


if __name__ == "__main__":
    main()
