"""What the API server itself refuses, by the policies beside the control plane: their CEL on objects as it has them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shopmesh.kubernetes.identity.stamps import ANNOTATION
from shopmesh.kubernetes.injection.sidecar import LABELS
from tests.k8s.rendering import Object, overlay
from tests.support.admission import Request, refusals

NODE, GATEWAY = LABELS["virtualNode"], LABELS["virtualGateway"]
ACCOUNT = "system:serviceaccount:shopmesh-system:control-plane"


@pytest.fixture(scope="module")
def policies() -> list[Object]:
    return [one for one in overlay("local") if one["kind"].startswith("ValidatingAdmissionPolic")]


def pod(labels: Any = None, annotations: Any = None) -> Object:
    """Without the field where there is none, as the API server has it."""
    given = {"labels": labels, "annotations": annotations}
    metadata = {"name": "x", "namespace": "default", **{field: value for field, value in given.items() if value}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}


STAMPED = pod({"app": "x", NODE: "product-vn"}, {ANNOTATION: "virtualnode/product"})
CHANGES = [
    (STAMPED, pod({"app": "x", NODE: "order-vn"}, {ANNOTATION: "virtualnode/product"}), "labels"),
    (STAMPED, pod({"app": "x"}, {ANNOTATION: "virtualnode/product"}), "labels"),
    (STAMPED, pod({"app": "x", NODE: "product-vn", GATEWAY: "g"}, {ANNOTATION: "virtualnode/product"}), "labels"),
    (STAMPED, pod({"app": "x", NODE: "product-vn"}, {ANNOTATION: "virtualnode/order"}), "annotation"),
    (STAMPED, pod({"app": "x", NODE: "product-vn"}, {"other": "y"}), "annotation"),
    (STAMPED, pod({"app": "x", NODE: "product-vn"}), "annotation"),
    (pod(), pod({NODE: "product-vn"}), "labels"),
    (pod(), pod({GATEWAY: "way-in"}), "labels"),
    (pod(), pod(None, {ANNOTATION: "virtualnode/product"}), "annotation"),
    (pod({"app": "x"}, {"a": "b"}), pod({"app": "x"}, {"a": "b", ANNOTATION: "virtualnode/product"}), "annotation"),
]


@pytest.mark.parametrize("resource", ["pods", "pods/status", "pods/ephemeralcontainers", "pods/resize"])
@pytest.mark.parametrize(("before", "after", "what"), CHANGES)
def test_whose_proxy_a_pod_is_stays(before: Object, after: Object, what: str, resource: str, policies: Any) -> None:
    """Nobody adds, changes or removes it, by whichever way an update comes; the message says what to do."""
    (message,) = refusals(policies, Request("UPDATE", resource, after, before))

    assert message.startswith(what)
    assert "create the pod anew" in message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (STAMPED, STAMPED),
        (STAMPED, pod({"app": "y", "more": "z", NODE: "product-vn"}, {ANNOTATION: "virtualnode/product", "a": "b"})),
        (pod(), pod()),
        (pod(), pod({"app": "x"}, {"a": "b"})),
        (pod({"app": "x"}, {"a": "b"}), pod()),
        (pod({NODE: ""}), pod({"app": "x"})),
    ],
)
def test_everything_else_of_a_pod_may_change(before: Object, after: Object, policies: Any) -> None:
    """Other labels and annotations, or nothing at all: what kubelets and controllers do all the time."""
    for resource in ("pods", "pods/status"):
        assert [] == refusals(policies, Request("UPDATE", resource, after, before))
    assert [] == refusals(policies, Request("CREATE", "pods", after))


@pytest.mark.parametrize("resource", ["pods/binding", "bindings"])
def test_a_binding_brings_nothing_into_a_pod(resource: str, policies: Any) -> None:
    """The API server copies its annotations; a scheduler's own pass."""
    binding: Object = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "x"}, "target": {"name": "machine"}}

    def refused(**metadata: Any) -> list[str]:
        found = copy.deepcopy(binding)
        found["metadata"] |= metadata
        return refusals(policies, Request("CREATE", resource, found))

    assert [] == refused()
    assert [] == refused(annotations={"scheduler": "x"}, labels={"topology.kubernetes.io/zone": "a"})
    assert "annotation shopmesh.dev/proxy-of" in refused(annotations={ANNOTATION: "virtualnode/product"})[0]
    for label in (NODE, GATEWAY):
        assert f"{NODE} and {GATEWAY}" in refused(labels={label: "product-vn"})[0]


@pytest.mark.parametrize(
    ("group", "resource", "name", "free"),
    [
        ("", "configmaps", "shopmesh-root", True),
        ("", "configmaps", "shopmesh-sidecar", True),
        ("", "secrets", "control-plane-ca", True),
        ("", "secrets", "control-plane-api", True),
        ("coordination.k8s.io", "leases", "control-plane", True),
        ("", "configmaps", "kube-root-ca.crt", False),
        ("", "configmaps", "control-plane-ca", False),
        ("", "secrets", "another", False),
        ("coordination.k8s.io", "leases", "kube-scheduler", False),
        ("", "configmaps", None, False),
    ],
)
def test_the_control_plane_creates_its_own_objects_alone(
    group: str, resource: str, name: str | None, free: bool, policies: Any
) -> None:
    """By name, which RBAC cannot; others create what they like."""
    found = {"metadata": {"generateName": "x"} if name is None else {"name": name}}

    assert free is (refusals(policies, Request("CREATE", resource, found, user=ACCOUNT, group=group)) == [])
    assert [] == refusals(policies, Request("CREATE", resource, found, user="somebody", group=group))


def test_every_policy_is_enforced_and_closed(policies: Any) -> None:
    """By a binding that denies, and also where an expression fails; it has no namespace, for it holds in all."""
    by_kind = {kind: [one for one in policies if one["kind"] == kind] for kind in {one["kind"] for one in policies}}
    names = {one["metadata"]["name"] for one in by_kind["ValidatingAdmissionPolicy"]}

    assert names == {one["spec"]["policyName"] for one in by_kind["ValidatingAdmissionPolicyBinding"]}
    assert {"Fail"} == {one["spec"]["failurePolicy"] for one in by_kind["ValidatingAdmissionPolicy"]}
    assert not any("namespace" in one["metadata"] for one in policies)
