"""Real proxies, half of them at each of two control planes: either answers for all of them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from shopmesh.client import Client
from tests.e2e.xds.running import Sidecar, upstreams
from tests.support.planes import Plane, Planes
from tests.support.process import eventually
from tests.unit.xds.meshes import route, shop

URL = "http://product.local:5000/"
HISTORY = "mesh=shop&virtualService=product.local&seconds=60"


@pytest.fixture
def planes() -> Iterator[Planes]:
    with Planes() as found:
        found.put(*shop())
        yield found


def requests(client: Client) -> int:
    [split] = client.splits(window=60)["splits"]
    return sum(target["requests"] for target in split["targets"])


def charted(plane: Plane) -> list[float]:
    """The requests of each version in the history: several points of a second, each of both replicas."""
    with urllib.request.urlopen(f"{plane.url}/shopmesh/v1/history?{HISTORY}", timeout=10) as answer:
        found = json.load(answer)
    return [round(sum(one["requests"]), 1) for one in found["series"]]


def test_either_answers_for_the_proxies_of_both(planes: Planes) -> None:
    """Who is connected, what was counted, who has a change; until one is gone, which is told."""
    with (
        upstreams("v1", "v2") as (first, second),
        Client(planes.one.url) as one,
        Client(planes.two.url) as two,
        Sidecar(planes.one, "product", first),
        Sidecar(planes.two, "product-v2", second),
        Sidecar(planes.one, "order", None, instance="order-1") as order,
        Sidecar(planes.two, "order", None, instance="order-2") as other,
    ):
        assert one.proxies() == two.proxies()
        assert {"order-1", "order-2", "product-1", "product-v2-1"} == {
            proxy["instance"] for proxy in one.proxies() if proxy["connected"]
        }
        for sidecar, count in ((order, 5), (other, 7)):
            assert [200] * count == [sidecar.get(URL)[0] for _ in range(count)]
        for client in (one, two):
            eventually(lambda client=client: requests(client) == 12, "all requests are counted")  # type: ignore[misc]
        for plane in (planes.one, planes.two):
            eventually(lambda plane=plane: [12.0, 0.0] == charted(plane), "they are in the history")  # type: ignore[misc]

        revision = planes.put(route("product-r", "all", {"product": 1, "product-v2": 1}))
        change = two.wait_converged(revision)
        assert (True, {"order-1", "order-2"}) == (change["converged"], {*change["proxies"]})

        planes.run(planes.two.stop())
        assert {"asked": 2, "answered": 1} == one.splits()["replicas"]
        assert {"order-1", "product-1"} == {proxy["instance"] for proxy in one.proxies() if proxy["connected"]}
