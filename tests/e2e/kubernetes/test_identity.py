"""Who an Envoy may be in a cluster, and by what it knows its control plane: real Envoys, TLS, tokens that rotate."""

from __future__ import annotations

import base64
import socket
import ssl
import time

from shopmesh.kubernetes.authority import KEY, SDS, Authority
from shopmesh.kubernetes.certificates import AUTHORITY
from shopmesh.kubernetes.resources import CONFIG_MAPS, SECRETS
from shopmesh.kubernetes.trust import ROOT
from tests.e2e.kubernetes.running import NAMESPACE, Pod, Story
from tests.e2e.xds.running import get
from tests.support.kubernetes.workloads import add_workload
from tests.support.process import eventually


def connected(pod: Pod) -> bool:
    return "control_plane.connected_state: 1" in get(pod.admin, "/stats?filter=control_plane.connected_state")[1]


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
    product.child.wait_for(lambda: "does not take this token" in product.child.output, "it is refused")
    assert not connected(product)
    assert 200 == get(product.ready, "/ready")[0]

    product.write_token(new)
    product.child.wait_for(lambda: connected(product), "it is back")
    for said in (product.child.output, told.replicas[0].child.output):
        assert old not in said
        assert new not in said


def test_an_envoy_that_asks_for_another_node_is_told_that_it_may_not(told: Story, product: Pod) -> None:
    """Both sides name the pod, the node, and what to do; figures and health are not taken from it either."""
    add_workload(told.cluster, "order", ["127.0.78.1"], 5000, {"app.kubernetes.io/version": "1.0"})
    liar = Pod(told, "order-0", "product-vn", "127.0.78.1", "v1.0")
    try:
        liar.start(ready=False)
        why = "pod default/order-0 may not ask for mesh/shopmesh/virtualNode/product-vn"
        liar.child.wait_for(lambda: why in liar.child.output, "Envoy says it")
        assert "closed: 7" in liar.child.output
        assert not connected(liar)
        for said in (liar.child.output, told.replicas[0].child.output):
            assert f"{why}: the podSelector of VirtualNode default/order makes it a proxy of" in said
    finally:
        liar.stop()


def test_an_authority_follows_another_while_everything_runs(told: Story, product: Pod) -> None:
    """Told first, exchanged then: an Envoy that trusts only the old one is not connected, with both it is."""
    old = told.authority
    new = Authority.made("the next", time.time())
    key = base64.b64encode(new.data()[KEY]).decode()
    both = base64.b64encode(old.bundle + new.bundle).decode()
    secret = told.cluster.get(SECRETS, AUTHORITY, NAMESPACE)
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
