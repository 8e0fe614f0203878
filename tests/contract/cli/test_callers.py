"""Weights of a service that only the outside calls act nowhere: each command that is about them says so, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shopmesh.client import Client
from tests.contract.cli.conftest import ControlPlane, Run

MESH = Path(__file__).parents[3] / "mesh"
REASON = "nothing in the mesh calls order.default.svc.cluster.local"
ADVICE = "name it as a backend of the virtual node that calls it"


@pytest.fixture
def second_order(shopmesh: Run, client: Client) -> str:
    """A second version of order, which has half of the weight in its route."""
    shopmesh("apply", "-f", str(MESH))
    spec = client.appmesh.describe_virtual_node(meshName="shopmesh", virtualNodeName="order-vn")["virtualNode"]["spec"]
    client.appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName="order-v2-vn", spec=spec)
    shopmesh("route", "order", "order-v2-vn=50", "--no-wait")
    return "order-v2-vn"


def test_route_says_it_with_the_weights_and_with_a_change(shopmesh: Run, second_order: str) -> None:
    """Also when nothing was changed; weights of a service with callers have no such line."""
    for weights in ((), (f"{second_order}=25",), (f"{second_order}=25",)):
        said = shopmesh("route", "order", *weights, "--no-wait").stderr
        assert REASON in said
        assert ADVICE in said

    assert "" == shopmesh("route", "product", "product-v2-vn=25", "--no-wait").stderr


def test_a_canary_is_refused_before_anybody_waits_for_requests(shopmesh: Run, second_order: str) -> None:
    """The reason and what to do; nothing is started."""
    shopmesh("route", "order", f"{second_order}=0", "--no-wait")

    said = shopmesh("canary", "order", "--to", second_order, status=1).stderr
    assert f"a canary would get no request: the Envoy of a caller chooses the version, and {REASON}; {ADVICE}" in said


def test_status_says_why_there_are_no_figures(shopmesh: Run, second_order: str) -> None:
    """In one line below the table."""
    said = " ".join(shopmesh("status").stdout.split())

    assert "nothing in the mesh calls order.default: no weights act there, and its own proxies count requests" in said


def test_a_gateway_is_a_caller(shopmesh: Run, second_order: str, tmp_path: Path) -> None:
    """What the advice says helps."""
    (tmp_path / "gateway.yaml").write_text(GATEWAY)
    shopmesh("apply", "-f", str(tmp_path))

    assert "" == shopmesh("route", "order", f"{second_order}=30", "--no-wait").stderr
    assert "nothing in the mesh calls" not in shopmesh("status").stdout


def test_doctor_reports_the_split_in_files(shopmesh: Run, second_order: str, tmp_path: Path) -> None:
    """With a code of its own, for the same mesh written out."""
    (tmp_path / "mesh.yaml").write_text(shopmesh("get", "-o", "yaml").stdout)
    found = json.loads(shopmesh("doctor", "-f", str(tmp_path), "-o", "json").stdout)["findings"]

    (finding,) = [one for one in found if one["code"] == "SM106"]
    assert "route shopmesh/order-vr/order-r" in finding["where"]
    assert "order-v2-vn 50" in finding["what"]


def test_a_canary_to_what_is_no_target_is_refused_with_the_targets(shopmesh: Run, control_plane: ControlPlane) -> None:
    """So that one service is not released as a version of another."""
    shopmesh("apply", "-f", str(MESH))
    writes = control_plane.writes

    said = shopmesh("canary", "product", "--to", "customer-v15-vn", status=1).stderr
    assert "customer-v15-vn is not a target of route product-vr/product-r" in said
    assert "its targets are product-vn, product-v2-vn" in said
    assert writes == control_plane.writes


GATEWAY = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: front, namespace: default}
spec:
  awsName: front
  namespaceSelector: {matchLabels: {mesh: shopmesh}}
  gatewayRouteSelector: {matchLabels: {gateway: front}}
  listeners: [{portMapping: {port: 8088, protocol: http}}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: all, namespace: default, labels: {gateway: front}}
spec:
  awsName: all
  httpRoute:
    match: {prefix: /}
    action: {target: {virtualService: {virtualServiceRef: {name: order}}}}
"""
