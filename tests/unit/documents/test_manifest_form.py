"""What manifests must say and the API may leave out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from shopmesh.appmesh.store import Key
from shopmesh.client.check import check
from shopmesh.documents import DeclaredResource, DocumentError, declared_resources, documents, manifests
from shopmesh.documents.equality import equivalent

LISTENERS = [{"portMapping": {"port": 80, "protocol": "http"}}]
ARN = "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualService/s.local"
TO_SERVICE = {"target": {"virtualService": {"virtualServiceName": "s.local"}}}


def manifest(kind: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "default", "labels": {"shopmesh.dev/virtual-gateway": "g"}}
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": metadata, "spec": spec}


def gateway_route(kind: str, match: dict[str, Any], **action: Any) -> dict[str, Any]:
    target = {"target": {"virtualService": {"virtualServiceARN": ARN}}}
    return manifest("GatewayRoute", **{kind: {"match": match, "action": target | action}})


def routed(**route: Any) -> dict[str, Any]:
    action = {"weightedTargets": [{"virtualNodeARN": "arn:aws:appmesh:::mesh/m/virtualNode/n", "weight": 1}]}
    return manifest(
        "VirtualRouter", listeners=LISTENERS, routes=[{"name": "r", "httpRoute": {"action": action, **route}}]
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (manifest("VirtualNode", listeners=LISTENERS), "spec.serviceDiscovery: required, since the node has listeners"),
        (routed(match={"port": 80}), "spec.routes[0].httpRoute.match: one of prefix, path is required, found: none"),
        (gateway_route("httpRoute", {"port": 80}), "httpRoute.match: one of prefix, path, hostname is required"),
        (gateway_route("grpcRoute", {"port": 80}), "grpcRoute.match: one of serviceName, hostname is required"),
        (gateway_route("httpRoute", {"prefix": "/"}, rewrite={}), "action.rewrite: one of prefix, path and hostname"),
        (
            routed(match={"prefix": "/"}, timeout={"perRequest": {"unit": "s"}}),
            "spec.routes[0].httpRoute.timeout.perRequest.value: required, but missing",
        ),
    ],
)
def test_what_awss_controller_refused_is_refused_in_files(wrong: dict[str, Any], said: str) -> None:
    """With document, line and field."""
    with pytest.raises(DocumentError) as refused:
        check(documents(yaml.safe_dump(wrong), "x.yaml"), "m")

    assert "x.yaml, document 1, line " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "right",
    [
        manifest("VirtualNode", listeners=LISTENERS, serviceDiscovery={}),
        manifest("VirtualNode"),
        gateway_route("httpRoute", {"hostname": {"exact": "a"}}),
        gateway_route("grpcRoute", {"serviceName": ""}),
        gateway_route("httpRoute", {"prefix": "/"}, rewrite={"hostname": {"defaultTargetHostname": "DISABLED"}}),
    ],
)
def test_what_it_took_is_taken(right: dict[str, Any]) -> None:
    """The nearest manifest with nothing missing."""
    assert check(documents(yaml.safe_dump(right), "x.yaml"), "m").resources


SPECS: dict[Key, dict[str, Any]] = {
    Key("mesh", ("m",)): {},
    Key("virtualNode", ("m", "n")): {"listeners": LISTENERS},
    Key("virtualRouter", ("m", "r")): {"listeners": LISTENERS},
    Key("route", ("m", "r", "t")): {
        "httpRoute": {
            "match": {"port": 80},
            "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]},
            "timeout": {"idle": {"unit": "ms"}},
        }
    },
    Key("virtualService", ("m", "s.local")): {"provider": {"virtualRouter": {"virtualRouterName": "r"}}},
    Key("virtualGateway", ("m", "g")): {
        "listeners": [*LISTENERS, {"portMapping": {"port": 90, "protocol": "grpc"}}],
    },
    Key("gatewayRoute", ("m", "g", "h")): {"httpRoute": {"match": {}, "action": {**TO_SERVICE, "rewrite": {}}}},
    Key("gatewayRoute", ("m", "g", "i")): {"grpcRoute": {"match": {"port": 90}, "action": TO_SERVICE}},
}


def test_whatever_the_api_leaves_out_is_written_into_manifests() -> None:
    """So the exported files load, and change nothing where they came from."""
    mesh = [DeclaredResource(key, spec) for key, spec in SPECS.items()]
    exported = documents(yaml.safe_dump_all(manifests(mesh)), "mesh.yaml")

    back = {one.key: one.spec for one in check(exported).resources}

    assert SPECS.keys() == back.keys()
    assert all(equivalent(SPECS[key], back[key]) for key in SPECS)


@pytest.mark.parametrize(
    "other",
    [
        {"httpRoute": {"match": {"prefix": "/x"}}},
        {"httpRoute": {"match": {"headers": [{"name": "a", "match": {}}]}}},
        {"tcpRoute": {"match": {}}},
    ],
)
def test_what_means_something_else_is_not_the_same(other: dict[str, Any]) -> None:
    """A match of every path is equal to its prefix / alone, and only there."""
    assert equivalent({"httpRoute": {"match": {}}}, {"httpRoute": {"match": {"prefix": "/"}}})
    assert not equivalent({"httpRoute": {"match": {}}}, other)


def test_objects_of_a_cluster_are_read_as_before() -> None:
    """What is stored was admitted once; only files are held to these rules."""
    assert declared_resources(documents(yaml.safe_dump(manifest("VirtualNode", listeners=LISTENERS)), "x"), "m")
