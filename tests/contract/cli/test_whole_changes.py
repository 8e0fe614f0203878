"""Changes of several documents that are right together, though none of them is right against the former state."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from shopmesh.client import Client
from tests.contract.cli.conftest import Run

Documents = list[dict[str, Any]]


def manifests(protocol: str, port: int) -> Documents:
    """A node, a router with a route, and a gateway with a route, all of one protocol and port."""
    listeners = [{"portMapping": {"port": port, "protocol": protocol}}]
    match = {"prefix": "/", "port": port}
    target = {"virtualNodeRef": {"name": "n"}, "weight": 1, "port": port}
    route = {"name": "r", f"{protocol}Route": {"match": match, "action": {"weightedTargets": [target]}}}
    to_service = {"target": {"virtualService": {"virtualServiceRef": {"name": "s"}}}}
    return [
        {
            "apiVersion": "appmesh.k8s.aws/v1beta2",
            "kind": kind,
            "metadata": {"name": name} | ({} if kind == "Mesh" else {"namespace": "default"}),
            "spec": spec,
        }
        for kind, name, spec in (
            ("Mesh", "m", {"namespaceSelector": {}}),
            ("VirtualNode", "n", {"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": "n.local"}}}),
            ("VirtualRouter", "r", {"listeners": listeners, "routes": [route]}),
            ("VirtualService", "s", {"provider": {"virtualRouter": {"virtualRouterRef": {"name": "r"}}}}),
            ("VirtualGateway", "g", {"namespaceSelector": {}, "listeners": listeners}),
            ("GatewayRoute", "t", {f"{protocol}Route": {"match": match, "action": to_service}}),
        )
    ]


def requests(protocol: str, port: int) -> Documents:
    """The same as JSON for the `aws` CLI."""
    listeners = [{"portMapping": {"port": port, "protocol": protocol}}]
    match = {"prefix": "/", "port": port}
    action = {"weightedTargets": [{"virtualNode": "n", "weight": 1, "port": port}]}
    to_service = {"target": {"virtualService": {"virtualServiceName": "s.local"}}}
    router, gateway = {"virtualRouterName": "r"}, {"virtualGatewayName": "g"}
    return [
        {"meshName": "m", **names}
        for names in (
            {},
            {
                "virtualNodeName": "n",
                "spec": {"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": "n.local"}}},
            },
            {**router, "spec": {"listeners": listeners}},
            {**router, "routeName": "r", "spec": {f"{protocol}Route": {"match": match, "action": action}}},
            {"virtualServiceName": "s.local", "spec": {"provider": {"virtualRouter": router}}},
            {**gateway, "spec": {"listeners": listeners}},
            {**gateway, "gatewayRouteName": "t", "spec": {f"{protocol}Route": {"match": match, "action": to_service}}},
        )
    ]


def template(protocol: str, port: int) -> Documents:
    """The same as one CloudFormation template."""
    kinds = ("Mesh", "VirtualNode", "VirtualRouter", "Route", "VirtualService", "VirtualGateway", "GatewayRoute")

    def shouted(value: Any) -> Any:
        if isinstance(value, dict):
            return {_PROPERTIES.get(k, k[0].upper() + k[1:]): shouted(item) for k, item in value.items()}
        return [shouted(item) for item in value] if isinstance(value, list) else value

    resources = {
        kind: {"Type": f"AWS::AppMesh::{kind}", "Properties": shouted(request)}
        for kind, request in zip(kinds, requests(protocol, port), strict=True)
    }
    return [{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}]


_PROPERTIES = {"dns": "DNS"}


Apply = Callable[..., str]


@pytest.fixture
def apply(shopmesh: Run) -> Apply:
    def run(found: Documents, status: int = 0) -> str:
        return shopmesh("apply", "-f", "-", status=status, stdin=yaml.safe_dump_all(found)).output

    return run


@pytest.mark.parametrize("form", [manifests, requests, template])
@pytest.mark.parametrize(("protocol", "port"), [("http2", 8080), ("http", 9090), ("http2", 9090)])
def test_protocol_and_port_change_in_all_documents_at_once(
    apply: Apply, client: Client, form: Callable[[str, int], Documents], protocol: str, port: int
) -> None:
    """Node, router, route, gateway and gateway route, in each form of documents, and back again."""
    apply(form("http", 8080))

    apply(form(protocol, port))

    [router] = client.appmesh.list_virtual_routers(meshName="m")["virtualRouters"]
    found = client.appmesh.describe_virtual_router(meshName="m", virtualRouterName=router["virtualRouterName"])
    listeners = found["virtualRouter"]["spec"]["listeners"]
    assert [{"portMapping": {"port": port, "protocol": protocol}}] == listeners
    assert "updated gatewayRoute" in apply(form("http", 8080))


@pytest.mark.parametrize("form", [manifests, requests, template])
def test_what_does_not_fit_in_the_end_is_refused_where_it_stands(
    apply: Apply, form: Callable[[str, int], Documents]
) -> None:
    """A route of the former protocol is named with its place, changed or not, and nothing is changed."""
    text = yaml.safe_dump_all(form("http2", 8080))
    unfit = [*yaml.safe_load_all(text.replace("http2Route", "httpRoute").replace("Http2Route", "HttpRoute"))]

    created = apply(unfit, status=1)
    apply(form("http", 8080))
    forgotten = apply(unfit, status=1)

    assert re.search(r"[hH]ttpRoute: virtual router r(_default)? listens for http2; use http2Route", created)
    assert "isteners: route r.httpRoute: the new specification listens for http2; use http2Route" in forgotten
    assert "updated" not in apply(form("http", 8080))


def test_a_single_request_is_refused_as_app_mesh_refused_it(apply: Apply, client: Client) -> None:
    """The API knows no transaction: a router cannot change from under its route, nor a route its protocol alone."""
    apply(requests("http", 8080))
    _, _, router, route, *_ = requests("http2", 8080)

    for call, request in ((client.appmesh.update_virtual_router, router), (client.appmesh.update_route, route)):
        with pytest.raises(ClientError, match="listens for http"):
            call(**request)
