"""The webinar in a cluster: its canaries by kubectl and by the API, and what may happen meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.kubernetes.api.resource_types import VIRTUAL_ROUTERS
from tests.e2e.kubernetes.running import Pod, Story
from tests.e2e.xds.running import Load
from tests.support.process import BIN, eventually, running

PRODUCT = "http://product.default.svc.cluster.local:5000/"


@pytest.fixture(scope="module")
def pods(told: Story) -> dict[str, list[Pod]]:
    """Order, which calls, and both versions of product, which answer."""
    found = {
        "order": told.workload("order", "order-vn", "1.0"),
        "product": told.workload("product", "product-vn", "1.0", count=2),
        "product-v2": told.workload("product-v2", "product-v2-vn", "2.0", service="product"),
    }
    # A caller sends to no instance before its health check has passed.
    (order,) = found["order"]
    for canary, version in ((100, "v2.0"), (0, "v1.0")):
        weigh(told, canary)
        eventually(lambda version=version: answered(order, version), f"{version} answers")  # type: ignore[misc]
    return found


def weigh(told: Story, canary: int) -> None:
    """As `kubectl edit virtualrouter product` does."""
    router = told.cluster.get(VIRTUAL_ROUTERS, "product")
    targets = router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    targets[0]["weight"], targets[1]["weight"] = 100 - canary, canary
    told.cluster.put(router)


def answered(caller: Pod, version: str) -> bool:
    return caller.ask(PRODUCT) == (200, version)


@pytest.fixture
def loaded(told: Story, pods: dict[str, list[Pod]]) -> Iterator[Load]:
    """Requests from order's application to product for the length of a test; in the end none has failed."""
    (order,) = pods["order"]
    weigh(told, 0)
    eventually(lambda: answered(order, "v1.0"), "product 1.0 answers")
    with Load(order, PRODUCT) as load:
        load.more(50)
        yield load
        load.more(50)
    assert {} == load.failed


def test_a_weight_that_kubectl_sets_shifts_the_traffic(told: Story, pods: dict[str, list[Pod]], loaded: Load) -> None:
    """50 % to product 2.0, and nothing is lost."""
    assert 0 == loaded.answers["v2.0"]

    weigh(told, 50)
    eventually(lambda: loaded.answers["v2.0"] > 0, "product 2.0 is asked")


def test_a_weight_that_the_api_sets_is_in_the_object(told: Story, pods: dict[str, list[Pod]], loaded: Load) -> None:
    """`aws appmesh update-route` and `kubectl get virtualrouter` speak of the same."""
    client = told.appmesh()
    names: dict[str, Any] = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
    spec = client.describe_route(**names)["route"]["spec"]
    for target in spec["httpRoute"]["action"]["weightedTargets"]:
        target["weight"] = 75 if target["virtualNode"] == "product-vn" else 25
    client.update_route(**names, spec=spec)

    route = told.cluster.get(VIRTUAL_ROUTERS, "product")["spec"]["routes"][0]
    assert [75, 25] == [target["weight"] for target in route["httpRoute"]["action"]["weightedTargets"]]
    eventually(lambda: loaded.answers["v2.0"] > 0, "product 2.0 is asked")


def test_a_canary_of_a_cluster_is_promoted(told: Story, pods: dict[str, list[Pod]], loaded: Load) -> None:
    """The same command as on a laptop: judged by the callers' Envoys, and its weights are in the object."""
    key, secret = told.keys
    endpoint = ("--endpoint-url", f"http://127.0.0.1:{told.replicas[0].api_port}")
    plan = ("--to", "product-v2-vn", "--steps", "25", "--every", "1s", "--min-requests", "30")
    command = (BIN / "shopmesh", *endpoint, "canary", "product", *plan)
    with running(command, env={"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}) as canary:
        assert 0 == canary.process.wait(60), canary.output
        assert "promoted: its one stage passed" in canary.output

    route = told.cluster.get(VIRTUAL_ROUTERS, "product")["spec"]["routes"][0]
    assert [0, 100] == [target["weight"] for target in route["httpRoute"]["action"]["weightedTargets"]]
    eventually(lambda: answered(pods["order"][0], "v2.0"), "product 2.0 answers everybody")


def test_a_pod_that_is_going_away_gets_no_new_request(told: Story, pods: dict[str, list[Pod]], loaded: Load) -> None:
    """Its conditions say it before it stops, and its callers learn it at once: a rolling update loses nothing."""
    first, _ = pods["product"]
    told.conditions("product", {first.name: {"ready": False, "serving": True, "terminating": True}})

    def left_alone() -> bool:
        before = first.application.requests.total()
        loaded.more(30)
        return first.application.requests.total() == before

    eventually(left_alone, "the pod that terminates is asked no more")
    told.conditions("product", {})
    before = first.application.requests.total()
    eventually(lambda: first.application.requests.total() > before, "the pod is asked again")


def test_an_api_server_that_is_gone_changes_nothing_for_traffic(
    told: Story, pods: dict[str, list[Pod]], loaded: Load
) -> None:
    """What was told stands; a change is refused with the reason, and made when it is back."""
    told.cluster.stop()
    try:
        loaded.more(100)
        client = told.appmesh()
        with pytest.raises(client.exceptions.ServiceUnavailableException, match="API server"):
            client.create_virtual_node(meshName="shopmesh", virtualNodeName="new-vn", spec={})
    finally:
        told.cluster.start()
    weigh(told, 50)
    eventually(lambda: loaded.answers["v2.0"] > 0, "the change is told after all", seconds=30)


def test_a_control_plane_that_dies_is_missed_by_nobody(told: Story, pods: dict[str, list[Pod]], loaded: Load) -> None:
    """Its proxies go on, and come back to it, or to another replica behind the same Service."""
    told.replicas[0].kill()
    loaded.more(100)
    told.replicas[0].start()
    weigh(told, 50)
    eventually(lambda: loaded.answers["v2.0"] > 0, "the new one tells what changed")
