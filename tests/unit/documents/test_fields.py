"""Every field whose key or shape differs between CRD and API, one by one, both ways."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from shopmesh.appmesh.store import Key
from shopmesh.documents import DeclaredResource, declared_resources, documents, manifests, not_for_kubernetes

ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/1"
CAS = ["arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/1"]
NODE_REF = ("virtualNodeRef", {"name": "n"})
ROUTER_REF = ("virtualRouterRef", {"name": "r"})
SERVICE_REF = ("virtualServiceRef", {"name": "s"})
KEYS = {
    "Mesh": Key("mesh", ("m",)),
    "VirtualNode": Key("virtualNode", ("m", "x")),
    "VirtualRouter": Key("route", ("m", "x", "route")),
    "VirtualService": Key("virtualService", ("m", "x")),
    "VirtualGateway": Key("virtualGateway", ("m", "x")),
    "GatewayRoute": Key("gatewayRoute", ("m", "g-vg", "x")),
}
AROUND: list[tuple[str, str, dict[str, Any]]] = [
    ("Mesh", "m", {}),
    ("VirtualNode", "n", {"awsName": "n-vn"}),
    ("VirtualRouter", "r", {"awsName": "r-vr"}),
    ("VirtualService", "s", {"awsName": "s.default.svc.cluster.local"}),
    ("VirtualGateway", "g", {"awsName": "g-vg", "namespaceSelector": {}, "gatewayRouteSelector": {}, "listeners": []}),
]
ROUTES = ("httpRoute", "http2Route", "grpcRoute")

PAIRS: list[tuple[str, str, object, str, object]] = [
    ("Mesh", "meshServiceDiscovery.ipPreference", "IPv4_ONLY", "serviceDiscovery.ipPreference", "IPv4_ONLY"),
    *[
        (kind, f"listeners.0.tls.certificate.acm.{crd}", ARN, f"listeners.0.tls.certificate.acm.{api}", ARN)
        for kind in ("VirtualNode", "VirtualGateway")
        for crd, api in [("certificateARN", "certificateArn")]
    ],
    *[
        (
            kind,
            f"{policy}.tls.validation.trust.acm.certificateAuthorityARNs",
            CAS,
            f"{policy}.tls.validation.trust.acm.certificateAuthorityArns",
            CAS,
        )
        for kind, policy in [
            ("VirtualNode", "backendDefaults.clientPolicy"),
            ("VirtualNode", "backends.0.virtualService.clientPolicy"),
            ("VirtualGateway", "backendDefaults.clientPolicy"),
        ]
    ],
    (
        "VirtualService",
        f"provider.virtualNode.{NODE_REF[0]}",
        NODE_REF[1],
        "provider.virtualNode.virtualNodeName",
        "n-vn",
    ),
    (
        "VirtualService",
        f"provider.virtualRouter.{ROUTER_REF[0]}",
        ROUTER_REF[1],
        "provider.virtualRouter.virtualRouterName",
        "r-vr",
    ),
    (
        "VirtualNode",
        f"backends.0.virtualService.{SERVICE_REF[0]}",
        SERVICE_REF[1],
        "backends.0.virtualService.virtualServiceName",
        "s.default.svc.cluster.local",
    ),
    *[
        (
            "VirtualRouter",
            f"routes.0.{route}.action.weightedTargets.0.{NODE_REF[0]}",
            NODE_REF[1],
            f"{route}.action.weightedTargets.0.virtualNode",
            "n-vn",
        )
        for route in (*ROUTES, "tcpRoute")
    ],
    *[
        (
            "GatewayRoute",
            f"{route}.action.target.virtualService.{SERVICE_REF[0]}",
            SERVICE_REF[1],
            f"{route}.action.target.virtualService.virtualServiceName",
            "s.default.svc.cluster.local",
        )
        for route in ROUTES
    ],
    ("VirtualRouter", "routes.0.priority", 7, "priority", 7),
    ("VirtualNode", "listeners.0.healthCheck.intervalMillis", 5000, "listeners.0.healthCheck.intervalMillis", 5000),
    ("VirtualNode", "serviceDiscovery.dns.ipPreference", "IPv4_ONLY", "serviceDiscovery.dns.ipPreference", "IPv4_ONLY"),
]


def put(path: str, value: object) -> dict[str, Any]:
    """A document with one field: `a.0.b` is `{"a": [{"b": value}]}`."""
    for step in reversed(path.split(".")):
        value = [value] if step == "0" else {step: value}
    assert isinstance(value, dict)
    return value


def take(document: Any, path: str) -> object:
    for step in path.split("."):
        document = document[int(step) if step == "0" else step]
    return document


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        both = {key: merged(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **both}
    return [merged(one[0], other[0])] if isinstance(one, list) and isinstance(other, list) else other


def read(*objects: tuple[str, str, dict[str, Any]]) -> list[DeclaredResource]:
    text = yaml.safe_dump_all(
        {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in objects
    )
    return declared_resources(documents(text, "fields.yaml"))


@pytest.mark.parametrize(("kind", "crd", "said", "api", "wanted"), PAIRS, ids=[f"{p[0]} {p[1]}" for p in PAIRS])
def test_a_field_has_its_place_on_both_sides(kind: str, crd: str, said: object, api: str, wanted: object) -> None:
    """The CRD's path becomes the API's path, and the API's becomes the CRD's again."""
    spec = merged({"awsName": "m" if kind == "Mesh" else "x"}, put(crd, said))
    if "routes" in spec:
        spec["routes"][0]["name"] = "route"
    if "clientPolicy" in crd and "backends" in spec:
        spec["backends"][0]["virtualService"]["virtualServiceRef"] = {"name": "s"}
    around = AROUND if kind != "Mesh" else []

    resources = read(*around, (kind, "m" if kind == "Mesh" else "x", spec))
    [resource] = [resource for resource in resources if resource.key == KEYS[kind]]
    [back] = [m for m in manifests(resources) if (m["kind"], m["spec"]["awsName"]) == (kind, spec["awsName"])]

    assert wanted == take(resource.spec, api)
    assert said == take(back["spec"], crd)


def test_a_reference_to_another_namespace_says_so() -> None:
    """The namespace is left out only where it is the referrer's own."""
    node = DeclaredResource(Key("virtualNode", ("m", "n_bank")), {})
    service = DeclaredResource(
        Key("virtualService", ("m", "s.shop")), {"provider": {"virtualNode": {"virtualNodeName": "n_bank"}}}
    )

    [_, written] = manifests([node, service])

    assert {"name": "n", "namespace": "bank"} == take(written, "spec.provider.virtualNode.virtualNodeRef")


def test_what_kubernetes_would_not_take_is_told() -> None:
    """Fields, values and tags that the CRDs have no place for are named, one line each."""
    node = DeclaredResource(
        Key("virtualNode", ("m", "n")),
        {"serviceDiscovery": {"dns": {"hostname": "n", "ipPreference": "IPv6_ONLY"}}},
        {"team": "shop", "shopmesh.dev/mirror": "x"},
    )
    mesh = DeclaredResource(Key("mesh", ("m",)), {"serviceDiscovery": {"ipPreference": "IPv6_PREFERRED"}})
    route = DeclaredResource(
        Key("route", ("m", "r", "x")), {"httpRoute": {"retryPolicy": {"httpRetryEvents": ["reset", "server-error"]}}}
    )

    assert [
        "virtualNode n: the CRD has no serviceDiscovery.dns.ipPreference; Kubernetes drops it",
        "virtualNode n: manifests have no place for the tags team",
        "mesh m: the CRD allows no IPv6_PREFERRED; Kubernetes refuses it",
        "route x: the CRD knows no retry event 'reset'; Kubernetes refuses it",
    ] == list(not_for_kubernetes([node, mesh, route]))
