"""A virtual gateway among the manifests runs on this machine, too."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.local.conftest import SHOPMESH, processes_of, project, starting
from tests.support.process import eventually, free_port, running

GATEWAY = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: shop, namespace: default}
spec:
  awsName: shop-gw
  podSelector: {matchLabels: {app.kubernetes.io/name: shop-gw}}
  namespaceSelector: {}
  gatewayRouteSelector: {matchLabels: {gateway: shop}}
  listeners: [{portMapping: {port: %d, protocol: http}}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: catalogue, namespace: default, labels: {gateway: shop}}
spec:
  awsName: catalogue-gr
  httpRoute:
    match: {prefix: /catalogue}
    action: {target: {virtualService: {virtualServiceRef: {name: product}}}}
"""


def project_with_gateway(tmp_path: Path, port: int) -> Path:
    folder = project(tmp_path)
    (folder / "mesh" / "shop-gw.yaml").write_text(GATEWAY % port)
    return folder


@pytest.mark.feature(22)
def test_a_gateway_of_the_manifests_serves_on_its_own_port(tmp_path: Path) -> None:
    """Its Envoy runs without an application, leads where its routes say, is counted, and shown by `status`."""
    port = free_port()
    folder = project_with_gateway(tmp_path, port)
    with starting(tmp_path, "--workload", "product", "--workload", "shop-gw", project=folder) as up:
        up.wait()

        def ask() -> dict[str, object]:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/catalogue", timeout=5) as answer:
                return dict(json.loads(answer.read()))

        body = ask()
        with running((*SHOPMESH, "status"), env=up.environment) as status:
            status.process.wait(20)
            (line,) = [line.split() for line in status.output.splitlines() if line.startswith("shop-gw-1")]

        def counted() -> int:
            # What was sent while the route was made belongs to no count of its weights.
            ask()
            (split,) = (one for one in up.client.splits("shopmesh", 60)["splits"] if one["route"] == "product-r")
            return sum(target["requests"] for target in split["targets"])

        # No other proxy calls it here.
        assert 0 < eventually(counted, "the gateway's requests in the figures")
        assert ("Product", 1.0) == (body["Service"], body["Version"])
        assert ["shop-gw-1", "shop-gw", "127.0.0.1"] == line[:3]
        assert ["in", "sync"] == line[-2:]
        assert any(line.split()[:3] == ["shop-gw-1", "gateway", f":{port}"] for line in up.child.output.splitlines())
        assert up.child.stop() == 0
        assert not processes_of(up.run_folder)


def test_a_taken_port_of_a_gateway_is_told(tmp_path: Path) -> None:
    """With the port, whose it is, and what to do; nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with starting(tmp_path, project=project_with_gateway(tmp_path, port)) as up:
            assert 1 == up.child.process.wait(60)
            assert not processes_of(up.run_folder)
            assert f"error: port {port} (virtual gateway shop-gw) is taken" in up.child.output
            assert "the listener of its manifest" in up.child.output
