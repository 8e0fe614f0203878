"""A hang of an application costs its callers little, with the documents of the demo as they are.

Requests go through order's real Envoy to real products, whose processes are stopped (SIGSTOP): their kernel still takes
connections, and nobody answers. What is asserted are shares and reasons, which hold on a busy machine, too; how long it
takes is measured by `python -m tests.bench.mesh.hang`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shopmesh.appmesh.store import Key, Resource
from shopmesh.client import check
from shopmesh.documents import documents
from shopmesh.documents.declared_resource import as_state
from shopmesh.xds.bootstrap import Options
from tests.e2e.xds.running import Mesh, Sidecar, get
from tests.support.process import BIN, eventually, free_port, running

PROJECT = Path(__file__).parents[3]
HOST = "product.default.svc.cluster.local:5000"
NODES = ("product-vn", "product-v2-vn")
ROUTE_TIMEOUT, TRY_TIMEOUT = 0.9, 0.4
"""In seconds, as in mesh/product.yaml."""

REQUESTS = 300
A_SECOND = 60

STATISTICS = (
    r"cluster\.cds_egress_[^.]+\.(membership_healthy|upstream_rq_per_try_timeout)",
    r"cluster\.cds_egress_[^.]+\.outlier_detection\.ejections_enforced_total",
)
_IN_ITS_OWN_GROUP = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"


@dataclass
class Product:
    """A running product; it and its worker are one group of processes."""

    port: int
    group: int

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        os.killpg(self.group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.group, signal.SIGCONT)


@contextlib.contextmanager
def product(module: str) -> Iterator[Product]:
    """As `shopmesh up` starts it."""
    port = free_port()
    gunicorn = (BIN / "gunicorn", "-c", "services/gunicorn.conf.py", f"services.product.{module}:create_app()")
    command: tuple[str | Path, ...] = (sys.executable, "-c", _IN_ITS_OWN_GROUP, *gunicorn)
    with running(command, {"PORT": str(port), "TRACING": "off"}, cwd=PROJECT) as child:
        child.wait_for(lambda: get(port, "/readyz")[0] == 200, "it is ready", 30)
        yield Product(port, child.pid)


class Answer(NamedTuple):
    """`flags` say why an Envoy answered by itself; `served` is whether an application did."""

    status: int
    flags: str
    version: str
    seconds: float


@dataclass
class Shop:
    """Order's Envoy, before products 1.0 and 2.0 with half of the weight each; 2.0 has two instances."""

    order: Sidecar
    first: Product
    second: tuple[Product, Product]

    def ask(self, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.order.egress, timeout=30)
        began = time.monotonic()
        with contextlib.closing(connection):
            connection.request(method, "/products/1", headers={"host": HOST})
            answer = connection.getresponse()
            answer.read()
        flags = answer.getheader("x-envoy-response-flags", "")
        return Answer(answer.status, flags, answer.getheader("x-service-version", ""), time.monotonic() - began)

    def load(self, count: int) -> list[Answer]:
        """That many requests, which begin at a steady rate whatever became of those before."""
        with ThreadPoolExecutor(100) as pool:
            began, under_way = time.monotonic(), []
            for number in range(count):
                time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
                under_way.append(pool.submit(self.ask))
            return [one.result() for one in under_way]

    def statistics(self, node: str) -> dict[str, int]:
        """Of order's cluster of that node, without its prefix."""
        prefix = f"cluster.cds_egress_shop_{node}_http_5000."
        found = json.loads(get(self.order.admin, f"/stats?format=json&filter={prefix}")[1])["stats"]
        return {one["name"].removeprefix(prefix): one.get("value", 0) for one in found if "name" in one}


def demo() -> list[Resource]:
    """The documents of `mesh/` in the mesh of the tests, with half of product's weight on each version."""
    files = sorted((PROJECT / "mesh").glob("*.yaml"))
    texts = {file: file.read_text().replace("awsName: shopmesh\n", "awsName: shop\n") for file in files}
    declared = check([one for file, text in texts.items() for one in documents(text, str(file))]).resources
    found = {one.key: one for one in as_state(declared)}
    key = Key("route", ("shop", "product-vr", "product-r"))
    spec: Any = json.loads(json.dumps(found[key].spec))
    for target in spec["httpRoute"]["action"]["weightedTargets"]:
        target["weight"] = 50
    return [*found.values(), replace(found[key], spec=spec)]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with (
        Mesh() as mesh,
        product("app") as first,
        product("v2_0") as second,
        product("v2_0") as third,
    ):
        mesh.put(*demo())
        mesh.sidecar(NODES[0], first)
        mesh.sidecar(NODES[1], second, instance="second")
        mesh.sidecar(NODES[1], third, instance="third")
        found = Shop(mesh.sidecar("order-vn", options=Options(statistics=STATISTICS)), first, (second, third))
        eventually(lambda: _all_serve(found), "all three serve")
        yield found


def _all_serve(shop: Shop) -> bool:
    healthy = [shop.statistics(node)["membership_healthy"] for node in NODES]
    return healthy == [1, 2] and {"product/1.0", "product/2.0"} == {shop.ask().version for _ in range(8)}


def _most(count: int) -> int:
    """How many of so many requests go to a version with half of the weight: more in one of a million runs."""
    return math.ceil(count / 2 + 5 * math.sqrt(count) / 2)


def _reasons(answers: Sequence[Answer]) -> Counter[tuple[int, str]]:
    return Counter((one.status, one.flags) for one in answers)


@pytest.mark.timeout(180)
def test_one_of_two_hung_instances_costs_hardly_a_request(shop: Shop) -> None:
    """A try that gets no answer is repeated at the other instance; after a few the hung one is left out."""
    before = shop.statistics(NODES[1])
    with shop.second[0].hung():
        answers = shop.load(REQUESTS)
    after = shop.statistics(NODES[1])

    assert sum(one.status != 200 for one in answers) < REQUESTS / 100, _reasons(answers)
    assert after["outlier_detection.ejections_enforced_total"] > before["outlier_detection.ejections_enforced_total"]
    # Those that came until it was left out, of a quarter of the requests.
    slow = after["upstream_rq_per_try_timeout"] - before["upstream_rq_per_try_timeout"]
    assert 10 <= slow < REQUESTS / 8
    eventually(lambda: _all_serve(shop), "it is back once its health check passes", 40)


@pytest.mark.timeout(180)
def test_a_hung_version_costs_its_share_and_is_answered_at_once(shop: Shop) -> None:
    """Requests that wait for it end at the route's time-out; then all instances are left out, and nobody waits."""
    with shop.second[0].hung(), shop.second[1].hung():
        answers = shop.load(REQUESTS)
        late = shop.load(REQUESTS // 3)
    failed = [one for one in answers if one.status != 200]
    at_once = [one for one in failed if one.flags == "UH"]

    assert {"product/1.0"} == {one.version for one in answers if one.status == 200}
    assert len(failed) <= _most(REQUESTS)
    assert {(503, "UH")} >= set(_reasons([one for one in late if one.status != 200]))
    assert len(at_once) > len(failed) / 2, _reasons(failed)
    # Nobody is asked for these: what they take is the machine's.
    assert sorted(one.seconds for one in at_once)[len(at_once) // 2] < TRY_TIMEOUT / 2
    assert max(one.seconds for one in failed) < ROUTE_TIMEOUT + 2
    eventually(lambda: _all_serve(shop), "both are back once their health checks pass", 40)


def test_what_is_not_a_get_is_not_tried_twice(shop: Shop) -> None:
    """It may have had an effect; the demo's services have nothing but GET, and so have their routes."""
    assert (404, "NR") == shop.ask("POST")[:2]
