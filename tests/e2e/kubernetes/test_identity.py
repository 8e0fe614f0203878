"""Who an Envoy may be in a cluster, and by what it knows its control plane: real Envoys, TLS, tokens that rotate."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.appmesh.catalogue.cluster import IDENTITY_BY_SELECTOR_ONLY
from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, MESHES, PODS, SECRETS, VIRTUAL_NODES
from shopmesh.kubernetes.identity.certificate_authority import KEY, SDS, CertificateAuthority
from shopmesh.kubernetes.identity.certificates import CA_NAME
from shopmesh.kubernetes.identity.sidecar_config_maps import ROOT
from shopmesh.kubernetes.identity.stamps import ANNOTATION
from tests.e2e.kubernetes.running import LABEL, NAMESPACE, Pod, Story
from tests.e2e.xds.running import get
from tests.support.kubernetes.answers import on_purpose
from tests.support.kubernetes.serving import Asked
from tests.support.kubernetes.workloads import add_workload
from tests.support.process import eventually


def connected(pod: Pod) -> bool:
    return "control_plane.connected_state: 1" in get(pod.admin, "/stats?filter=control_plane.connected_state")[1]


def configured(pod: Pod) -> bool:
    """Whether it was given anything since it started."""
    name = "cluster_manager.cds.update_success"
    return f"{name}: 0" not in get(pod.admin, f"/stats?filter={name}")[1]


def restarted(told: Story) -> None:
    """As after a crash: no stream, and no review that was remembered, is left."""
    told.replicas[0].kill()
    told.replicas[0].start()


def test_after_a_rotation_only_the_new_token_counts(told: Story, product: Pod) -> None:
    """With the old one it is refused, serving all the while; with the one that takes its place it is back."""
    assert connected(product)
    old = product.token_file.read_text()
    new = told.cluster.token_of(product.name, audience="shopmesh")
    told.cluster.revoke(old)
    restarted(told)
    product.child.wait_for(lambda: "rejects this token" in product.child.output, "it is refused")
    assert not connected(product)
    assert 200 == get(product.ready, "/ready")[0]

    product.write_token(new)
    product.child.wait_for(lambda: connected(product), "it is back")
    for said in (product.child.output, told.replicas[0].child.output):
        assert old not in said
        assert new not in said


@contextlib.contextmanager
def envoy_of(told: Story, manifest: Any, node: str, account: str = "default", ready: bool = False) -> Iterator[Pod]:
    """An Envoy in that new pod, which says that it is that node."""
    metadata = told.cluster.put(manifest)["metadata"]
    made = Pod(told, metadata["name"], node, "127.0.78.2", "v", namespace=metadata["namespace"], account=account)
    try:
        yield made.start(ready=ready)
    finally:
        made.stop()
        told.cluster.remove(PODS, metadata["name"], metadata["namespace"])


def a_pod(name: str, namespace: str = "default", of: str | None = None, **labels: str) -> dict[str, Any]:
    annotations = {} if of is None else {ANNOTATION: of}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}


def refused(told: Story, pod: Pod, why: str) -> None:
    """Envoy and the control plane say why; it has no configuration."""
    pod.child.wait_for(lambda: why in pod.child.output, "Envoy says why it is refused")
    told.replicas[0].child.wait_for(lambda: why in told.replicas[0].child.output, "the control plane says it, too")
    assert not configured(pod)


@pytest.mark.parametrize("of", [None, "virtualnode/copy", "virtualnode/order"])
def test_a_node_of_another_namespace_admits_nobody_to_a_name_that_it_does_not_own(told: Story, of: str | None) -> None:
    """A VirtualNode evil/copy that calls itself order-vn, and selects all pods of its namespace, gets nothing."""
    mesh = {"name": "shopmesh", "uid": told.cluster.get(MESHES, "shopmesh", "")["metadata"]["uid"]}
    spec = {"awsName": "order-vn", "meshRef": mesh, "podSelector": {}}
    metadata = {"name": "copy", "namespace": "evil"}
    told.cluster.put(
        {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualNode", "metadata": metadata, "spec": spec}
    )
    try:
        with envoy_of(told, a_pod("spy", "evil", of), "order-vn") as spy:
            refused(told, spy, "pod evil/spy may not ask for mesh/shopmesh/virtualNode/order-vn: the VirtualNode that")
    finally:
        told.cluster.remove(VIRTUAL_NODES, "copy", "evil")


def test_a_pod_stays_what_it_was_created_for(told: Story) -> None:
    """Whoever writes another node into it later, past the policy of the cluster, finds that the first one counts."""
    labels = {"app.kubernetes.io/name": "order", LABEL: "order-vn"}
    with envoy_of(told, a_pod("order-9", **labels), "product-vn") as liar:
        refused(told, liar, "pod default/order-9 may not ask for mesh/shopmesh/virtualNode/product-vn: the pod was")
        told.cluster.put(a_pod("order-9", of="virtualnode/product", **{**labels, LABEL: "product-vn"}))
        said = liar.child.output.count("the pod was created with")
        liar.child.wait_for(lambda: liar.child.output.count("the pod was created with") > said, "it came again")
        assert "the pod was created with annotation" not in liar.child.output
        assert not configured(liar)


def test_a_node_takes_pods_of_the_service_account_that_it_names(told: Story) -> None:
    """Another one is refused, with both names; the right one is let in."""
    node = told.cluster.get(VIRTUAL_NODES, "customer")
    annotated = {**node["metadata"].get("annotations", {}), "shopmesh.dev/service-account": "customer"}
    told.cluster.put({**node, "metadata": {**node["metadata"], "annotations": annotated}})
    made = a_pod("customer-9", of="virtualnode/customer")
    try:
        with envoy_of(told, made, "customer-vn", account="order") as wrong:
            refused(
                told, wrong, "the pod runs as service account order, and VirtualNode default/customer takes pods of"
            )
        with envoy_of(told, made, "customer-vn", account="customer", ready=True) as right:
            right.child.wait_for(lambda: configured(right), "it is let in")
    finally:
        told.cluster.put(node)


def test_a_pod_from_before_is_let_in_by_its_labels_and_told_of(told: Story) -> None:
    """It has no stamp: its node's podSelector counts, and doctor says that it should be created anew."""
    labels = {"app.kubernetes.io/name": "customer", "app.kubernetes.io/version": "1.0"}
    with envoy_of(told, a_pod("customer-0", **labels), "customer-vn", ready=True):

        def finding() -> Any:
            return next((one for one in told.findings() if one["code"] == IDENTITY_BY_SELECTOR_ONLY.code), None)

        found = eventually(finding, "it is reported")

    assert "virtualNode shopmesh/customer-vn" == found["where"]
    assert "such as default/customer-0" in found["what"]


def test_a_pod_is_let_in_before_it_was_watched(told: Story) -> None:
    """While the API server tells nothing new of pods, one that just came is read, and not turned away."""
    reads = len(told.cluster.asked_for("get", PODS))

    def no_watch(asked: Asked) -> None:
        if asked.what in ("list", "watch") and asked.kind == PODS.plural:
            raise on_purpose(503)

    told.cluster.before(no_watch)
    told.cluster.disconnect()
    try:
        with envoy_of(told, a_pod("customer-8", of="virtualnode/customer"), "customer-vn", ready=True) as young:
            young.child.wait_for(lambda: configured(young), "it is let in")
            assert "may not ask" not in young.child.output
    finally:
        told.cluster.before(None)
    assert len(told.cluster.asked_for("get", PODS)) > reads


def test_an_envoy_that_asks_for_another_node_is_told_that_it_may_not(told: Story, product: Pod) -> None:
    """Both sides name the pod, the node, and what to do; figures and health are not taken from it either."""
    add_workload(told.cluster, "order", ["127.0.78.1"], 5000, {"app.kubernetes.io/version": "1.0"})
    liar = Pod(told, "order-0", "product-vn", "127.0.78.1", "v1.0")
    try:
        liar.start(ready=False)
        why = "pod default/order-0 may not ask for mesh/shopmesh/virtualNode/product-vn"
        liar.child.wait_for(lambda: why in liar.child.output, "Envoy says it")
        assert "closed: 7" in liar.child.output
        assert not configured(liar)
        for said in (liar.child.output, told.replicas[0].child.output):
            assert f"{why}: the podSelector of VirtualNode default/order selects the pod" in said
    finally:
        liar.stop()


def test_an_authority_follows_another_while_everything_runs(told: Story, product: Pod) -> None:
    """Told first, exchanged then: an Envoy that trusts only the old one is not connected, with both it is."""
    old = told.authority
    new = CertificateAuthority.create("the next", time.time())
    key = base64.b64encode(new.secret_data()[KEY]).decode()
    both = base64.b64encode(old.bundle + new.bundle).decode()
    secret = told.cluster.get(SECRETS, CA_NAME, NAMESPACE)
    told.cluster.put({**secret, "data": {"ca.crt": both, "ca.key": key}})
    restarted(told)
    product.child.wait_for(lambda: "CERTIFICATE_VERIFY_FAILED" in product.child.output, "it is not trusted")
    assert not connected(product)

    root = eventually(lambda: told.cluster.get(CONFIG_MAPS, ROOT)["data"], "proxies are told")
    assert (old.bundle + new.bundle).decode() == root["ca.crt"]
    product.write_ca(root[SDS])
    product.child.wait_for(lambda: connected(product), "it is trusted")


def test_the_webhook_proves_itself_by_the_same_authority(told: Story, product: Pod) -> None:
    """On the port that it was given."""
    context = ssl.create_default_context(cadata=told.cluster.get(CONFIG_MAPS, ROOT)["data"]["ca.crt"])
    plain = socket.create_connection(("127.0.0.1", told.replicas[0].webhook_port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=f"control-plane.{NAMESPACE}.svc") as connection:
        assert connection.version() == "TLSv1.3"
