"""What one tenant writes stays with that tenant: a whole control plane, with an attacker's objects in the cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.kubernetes.api.resource_types import LEASES, MESHES, VIRTUAL_NODES, VIRTUAL_ROUTERS, VIRTUAL_SERVICES
from shopmesh.kubernetes.controller.name_claims import NAMES
from tests.e2e.kubernetes.running import NAMESPACE, Story, story
from tests.support.process import eventually

ROUTE: Any = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}


@pytest.fixture(scope="module")
def told() -> Iterator[Story]:
    """A control plane that leads, with another tenant in its mesh."""
    with story() as made:
        metadata = {"name": "evil", "labels": {"mesh": "shopmesh"}}
        made.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        made.control_plane()
        yield made


def node(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "evil", "annotations": annotations}
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualNode", "metadata": metadata, "spec": {}}


def router(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    action = {"weightedTargets": [{"virtualNodeRef": {"name": "target"}, "weight": 1}]}
    routes = [{"name": "r", "httpRoute": {"match": {"prefix": "/"}, "action": action}}]
    listeners = [{"portMapping": {"port": 5000, "protocol": "http"}}]
    found = node(name, annotations)
    return {**found, "kind": "VirtualRouter", "spec": {"listeners": listeners, "routes": routes}}


KEPT, PATCH = "appmesh.shopmesh.dev/kept", "shopmesh.dev/patch"
IGNORED = "annotation appmesh.shopmesh.dev/kept is ignored: "

ATTACKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "version beyond a float": (node("a", {KEPT: '{"version":1e400}'}), "True", IGNORED),
    "number beyond a float in a patch": (
        node("b", {PATCH: '{"cluster/x":{"lb_policy":1e400}}'}), "False", "the number 1e400 is beyond the range",
    ),
    "number of thousands of digits in a patch": (
        node("c", {PATCH: '{"cluster/x":{"lb_policy":' + "9" * 5000 + "}}"}), "False", "has more than 300 digits",
    ),
    "a canary that is none": (
        router("d", {KEPT: '{"routes":{"r":{"canary":{"x":1}}}}'}), "True", f"{IGNORED}canary: ",
    ),
    "deep nesting": (node("e", {KEPT: '{"tags":' + "[" * 50_000}), "True", IGNORED),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_nobody_else_notices_what_one_tenant_writes(told: Story, attack: str) -> None:
    """Others change by kubectl and by the API, a restarted replica starts and leads, and the object says why."""
    manifest, status, said = ATTACKS[attack]
    if manifest["kind"] == "VirtualRouter":
        told.cluster.put(node("target", {}))
    told.cluster.put(manifest)
    _others_go_on(told, 10, 20)

    (replica,) = told.replicas
    replica.kill()
    told.cluster.remove(LEASES, "control-plane", NAMESPACE)
    replica.start()
    assert "control-plane-0" == eventually(lambda: _holder(told), "somebody leads")
    _others_go_on(told, 30, 40)

    kind = VIRTUAL_ROUTERS if manifest["kind"] == "VirtualRouter" else VIRTUAL_NODES
    name = manifest["metadata"]["name"]

    def condition() -> Any:
        found = told.cluster.get(kind, name, "evil").get("status") or {}
        return next((one for one in found.get("conditions") or () if said in one.get("message", "")), None)

    found = eventually(condition, f"the condition of {name} says {said}")
    assert status == found["status"]


def _others_go_on(told: Story, by_hand: int, by_the_api: int) -> None:
    found = copy.deepcopy(told.cluster.get(VIRTUAL_ROUTERS, "product"))
    targets = found["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    targets[0]["weight"], targets[1]["weight"] = 100 - by_hand, by_hand
    told.cluster.put(found)
    eventually(lambda: by_hand == _weight(told), "kubectl's change is in the mesh")

    spec = told.appmesh().describe_route(**ROUTE)["route"]["spec"]
    targets = spec["httpRoute"]["action"]["weightedTargets"]
    targets[0]["weight"], targets[1]["weight"] = 100 - by_the_api, by_the_api
    told.appmesh().update_route(**ROUTE, spec=spec)
    assert by_the_api == _weight(told)


def _weight(told: Story) -> int:
    targets = told.appmesh().describe_route(**ROUTE)["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    return int(targets[1]["weight"])


def _holder(told: Story) -> str:
    (lease,) = told.cluster.objects(LEASES, NAMESPACE)
    return str(lease["spec"]["holderIdentity"])


def test_a_name_survives_its_object_and_the_control_plane(told: Story) -> None:
    """The leader remembers it in the Mesh: who made an object of that name meanwhile waits, also after a restart."""
    name = "order.default.svc.cluster.local"
    claim = f"virtualService/{name}"
    told.cluster.put(node("target", {}))
    eventually(lambda: claim in _remembered(told), "the name is remembered")
    squatter = node("order", {})
    provider = {"virtualNode": {"virtualNodeRef": {"name": "target"}}}
    told.cluster.put({**squatter, "kind": "VirtualService", "spec": {"awsName": name, "provider": provider}})
    before = told.cluster.get(VIRTUAL_SERVICES, "order")
    told.cluster.remove(VIRTUAL_SERVICES, "order")
    eventually(lambda: name not in _services(told), "the service is gone")

    (replica,) = told.replicas
    replica.kill()
    told.cluster.remove(LEASES, "control-plane", NAMESPACE)
    replica.start()
    assert name not in _services(told)
    told.cluster.put({**before, "metadata": {"name": "order", "namespace": "default"}})
    eventually(lambda: name in _services(told), "the service is there again")

    def condition() -> Any:
        found = told.cluster.get(VIRTUAL_SERVICES, "order", "evil").get("status") or {}
        return next((one for one in found.get("conditions") or () if one["status"] == "False"), None)

    assert "belongs to namespace default" in eventually(condition, "the other one says why it waits")["message"]
    spec = told.appmesh().describe_virtual_service(meshName="shopmesh", virtualServiceName=name)["virtualService"][
        "spec"
    ]
    assert ["virtualRouter"] == [*spec["provider"]]


def _remembered(told: Story) -> str:
    annotations = told.cluster.get(MESHES, "shopmesh")["metadata"].get("annotations") or {}
    return str(annotations.get(NAMES, ""))


def _services(told: Story) -> set[str]:
    found = told.appmesh().list_virtual_services(meshName="shopmesh")["virtualServices"]
    return {one["virtualServiceName"] for one in found}
