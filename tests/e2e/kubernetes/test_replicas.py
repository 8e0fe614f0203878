"""Two control planes in a cluster, with proxies at each: they answer together, one leads, and either may die."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client
from shopmesh.kubernetes.api.resource_types import LEASES, VIRTUAL_NODES, VIRTUAL_ROUTERS
from tests.e2e.kubernetes.running import NAMESPACE, Story, story
from tests.support.process import eventually

NAMES = ("control-plane-a", "control-plane-b")
PRODUCT = "http://product.default.svc.cluster.local:5000/"
NODES = {"order": "order-vn", "product": "product-vn", "product-v2": "product-v2-vn"}
ROUTE = ("shopmesh", "product-vr", "product-r")
PLAN = {"to": "product-v2-vn", "steps": [50], "every": "1h"}
LEASE = 120.0


@pytest.fixture
def told() -> Iterator[Story]:
    with story() as made:
        made.control_planes(*NAMES)
        yield made


@pytest.fixture
def clients(told: Story) -> Iterator[list[Client]]:
    found = [Client(f"http://127.0.0.1:{one.api_port}", credentials=Credentials(*told.keys)) for one in told.replicas]
    yield found
    for one in found:
        one.close()


def leader(told: Story) -> int:
    return NAMES.index(told.cluster.get(LEASES, "control-plane", NAMESPACE)["spec"]["holderIdentity"])


def all_told(client: Client) -> bool:
    """Whether that one tells the proxies of all nodes."""
    return {*NODES.values()} == {proxy["name"] for proxy in client.proxies() if proxy["connected"]}


def status(told: Story, kind: Any, name: str) -> Any:
    return told.cluster.get(kind, name).get("status") or {}


def counted(told: Story, node: str) -> bool:
    return bool({"connected": 1, "inStep": 1} == status(told, VIRTUAL_NODES, node).get("proxies"))


def weighed(told: Story, weight: int) -> bool:
    return f"product-vn={weight}," in status(told, VIRTUAL_ROUTERS, "product").get("weights", "")


def test_replicas_are_one_control_plane(told: Story, clients: list[Client]) -> None:
    """Proxies, canaries and status are the mesh's at whichever is asked; when the leader dies the other goes on."""
    (order,) = told.workload("order", "order-vn", "1.0")
    told.workload("product", "product-vn", "1.0")
    told.workload("product-v2", "product-v2-vn", "2.0", service="product", replica=1)
    for client in clients:
        eventually(partial(all_told, client), "all proxies are told")
    for node in NODES:
        eventually(partial(counted, told, node), "the status counts it")

    for number, client in enumerate(clients):
        client.start_canary(ROUTE, "product", PLAN, f"owner-{number}", LEASE)
        assert "running" == client.canary(ROUTE)["phase"]
        eventually(partial(weighed, told, 50), "the status has the weights")
        assert 200 == order.ask(PRODUCT)[0]
        client.canary(ROUTE, "roll back")
        eventually(partial(weighed, told, 100), "it is rolled back")

    dead = leader(told)
    told.replicas[dead].kill()
    other = clients[1 - dead]
    assert {"asked": 2, "answered": 1} == other.splits()["replicas"]
    assert "SM211" in {one["code"] for one in other.findings()}

    eventually(lambda: leader(told) == 1 - dead, "the other leads", 30)
    other.start_canary(ROUTE, "product", PLAN, "owner", LEASE)
    eventually(partial(weighed, told, 50), "the other writes")
