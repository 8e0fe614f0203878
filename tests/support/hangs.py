"""Order's Envoy before real products that can be made to hang, with the documents of `mesh/` as they are.

The processes of a product are stopped (SIGSTOP): their kernel still takes connections, and nobody answers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from shopmesh.appmesh.store import Key, Resource
from shopmesh.client import check
from shopmesh.documents import documents
from shopmesh.documents.declared_resource import as_state
from shopmesh.xds.bootstrap import Options
from tests.e2e.xds.running import Mesh, Sidecar, get
from tests.support.process import BIN, eventually, free_port, running

PROJECT = Path(__file__).parents[2]
HOST = "product.default.svc.cluster.local:5000"
NODES = ("product-vn", "product-v2-vn")
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
        """Stops its processes for the length of a `with` block."""
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
    """`flags` say why an Envoy answered by itself; `version` is that of the product, where one answered."""

    status: int
    flags: str
    version: str
    seconds: float


@dataclass
class Shop:
    """Order's Envoy, before products 1.0 and 2.0 with half of the weight each; 2.0 has two instances."""

    order: Sidecar
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

    def load(self, count: int, a_second: float) -> list[Answer]:
        """That many requests, which begin at a steady rate whatever became of those before."""
        with ThreadPoolExecutor(100) as pool:
            began, under_way = time.monotonic(), []
            for number in range(count):
                time.sleep(max(0.0, began + number / a_second - time.monotonic()))
                under_way.append(pool.submit(self.ask))
            return [one.result() for one in under_way]

    def statistics(self, node: str) -> dict[str, int]:
        """Of order's cluster of that node, without its prefix."""
        prefix = f"cluster.cds_egress_shop_{node}_http_5000."
        found = json.loads(get(self.order.admin, f"/stats?format=json&filter={prefix}")[1])["stats"]
        return {one["name"].removeprefix(prefix): one.get("value", 0) for one in found if "name" in one}

    @property
    def all_serve(self) -> bool:
        """Whether no instance is left out, and both versions answer."""
        healthy = [self.statistics(node)["membership_healthy"] for node in NODES]
        return healthy == [1, 2] and {"product/1.0", "product/2.0"} == {self.ask().version for _ in range(8)}


def _documents() -> list[Resource]:
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


@contextlib.contextmanager
def running_shop() -> Iterator[Shop]:
    """Runs until the end of the `with` block."""
    with (
        Mesh() as mesh,
        product("app") as first,
        product("v2_0") as second,
        product("v2_0") as third,
    ):
        mesh.put(*_documents())
        mesh.sidecar(NODES[0], first)
        mesh.sidecar(NODES[1], second, instance="second")
        mesh.sidecar(NODES[1], third, instance="third")
        shop = Shop(mesh.sidecar("order-vn", options=Options(statistics=STATISTICS)), (second, third))
        eventually(lambda: shop.all_serve, "all three serve")
        yield shop
