"""What Argo Rollouts does to App Mesh's objects when it promotes a canary, step by step and under load.

A replay of its calls (rollout/trafficrouting.go, rollout/trafficrouting/appmesh) over a stand-in for the API server:
the stable Service selects the new pods; both podSelectors are rewritten; then the canary's weight is 0 again. The label
app.kubernetes.io/version stands for its rollouts-pod-template-hash.
"""

from __future__ import annotations

import copy
import time
from functools import partial

import pytest

from shopmesh.kubernetes.api.resource_types import PODS, VIRTUAL_NODES, VIRTUAL_ROUTERS
from tests.e2e.kubernetes.running import Pod, Story
from tests.e2e.xds.running import Load
from tests.support.kubernetes.workloads import endpoint_slice
from tests.support.process import eventually

PRODUCT = "http://product.default.svc.cluster.local:5000/"


class Rollout:
    """Stable is `product` and canary `product-v2`, each with a Service of its own, as in Argo's example."""

    def __init__(self, told: Story) -> None:
        self._told = told
        (self.order,) = told.workload("order", "order-vn", "1.0")
        (self.old,) = told.workload("product", "product-vn", "1.0")
        (self.new,) = told.workload("product-v2", "product-v2-vn", "2.0", service="product")

    def weigh(self, canary: int) -> None:
        router = self._told.cluster.get(VIRTUAL_ROUTERS, "product")
        targets = router["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
        targets[0]["weight"], targets[1]["weight"] = 100 - canary, canary
        self._told.cluster.put(router)

    def select(self, node: str, version: str) -> None:
        found = self._told.cluster.get(VIRTUAL_NODES, node)
        found["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/version"] = version
        self._told.cluster.put(found)

    def serve(self, service: str, pods_of: str) -> None:
        """Lets the Service select the pods of that workload."""
        found = endpoint_slice(self._told.workloads[service])
        found["endpoints"] = copy.deepcopy(endpoint_slice(self._told.workloads[pods_of])["endpoints"])
        self._told.cluster.put(found)

    def promote(self, seconds: float) -> None:
        """The calls of Argo for a canary that has all the traffic, so many seconds apart."""
        self.serve("product", "product-v2")
        time.sleep(seconds)
        self.select("product", "2.0")
        time.sleep(seconds)
        self.select("product-v2", "canary-tbd")
        time.sleep(seconds)
        self.weigh(0)

    def begin_again(self) -> None:
        """The old version is stable once more, and the new one the canary with all the traffic.

        Both have to answer in turn: after a promotion the new one does so in any case.
        """
        self.select("product-v2", "2.0")
        self.serve("product-v2", "product-v2")
        self.select("product", "1.0")
        self.serve("product", "product")
        for weight, version in ((0, "v1.0"), (100, "v2.0")):
            self.weigh(weight)
            eventually(partial(self._answers, version), f"{version} has all the traffic")

    def _answers(self, version: str) -> bool:
        """Each worker of Envoy learns of a change by itself."""
        return all(self.order.ask(PRODUCT) == (200, version) for _ in range(10))


@pytest.fixture(scope="module")
def rollout(told: Story) -> Rollout:
    return Rollout(told)


@pytest.mark.parametrize("milliseconds", [0, 5, 20])
def test_a_promotion_loses_nothing(rollout: Rollout, milliseconds: int) -> None:
    """However far apart its calls are: a podSelector takes no endpoint from a node whose Service has one."""
    rollout.begin_again()
    with Load(rollout.order, PRODUCT) as load:
        load.more(100)
        rollout.promote(milliseconds / 1000)
        load.more(400)

    assert {} == load.failed
    assert {"v2.0"} == {*load.answers}


def test_promoted_pods_keep_their_control_plane(told: Story, rollout: Rollout) -> None:
    """Their Envoys stay what they were injected as: after a restart of the control plane, and of the sidecar itself."""
    rollout.begin_again()
    rollout.promote(0.0)
    (replica,) = told.replicas
    replica.kill()
    replica.start()
    eventually(lambda: _in_sync(told, rollout.new), "the promoted pod's Envoy is back", 30)
    rollout.new.stop()
    rollout.new.start()
    eventually(lambda: rollout.order.ask(PRODUCT) == (200, "v2.0"), "the promoted pod serves")

    # Every Envoy has to connect again; until the old pod's has, its node counts as not connected.
    eventually(lambda: all(one["severity"] != "error" for one in told.findings()), "no finding is an error", 30)
    assert "may not ask" not in rollout.new.child.output


def test_any_edit_of_selectors_and_labels_loses_nothing(told: Story, rollout: Rollout) -> None:
    """As long as the Service has a ready endpoint: which pods it has is the Service's to say."""
    rollout.begin_again()
    rollout.weigh(50)
    eventually(lambda: rollout.order.ask(PRODUCT)[0] == 200, "both versions serve")
    with Load(rollout.order, PRODUCT) as load:
        for version in ("nothing", "1.0", "2.0"):
            for node in ("product", "product-v2"):
                rollout.select(node, version)
                load.more(20)
        for workload in ("product", "product-v2"):
            pod = told.cluster.get(PODS, told.workloads[workload].pods()[0])
            pod["metadata"]["labels"]["app.kubernetes.io/version"] = "relabelled"
            told.cluster.put(pod)
            load.more(50)

    assert {} == load.failed
    assert {"v1.0", "v2.0"} == {*load.answers}


def _in_sync(told: Story, pod: Pod) -> bool:
    return any(one["instance"] == pod.name and one["inStep"] for one in told.proxies())
