"""Manifests and the requests that come of them, pair by pair."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shopmesh.documents import DeclaredResource, declared_resources, documents, parameters

NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {mesh: shopmesh}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: shopmesh}
spec: {namespaceSelector: {matchLabels: {mesh: shopmesh}}}
"""

NODES = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: product, namespace: default}
spec: {awsName: product-vn}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: product-v2, namespace: default}
spec: {awsName: product-v2-vn}
"""

SERVICE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: product, namespace: default}
spec: {awsName: product.default.svc.cluster.local, provider: {virtualRouter: {virtualRouterRef: {name: product}}}}
"""

NODE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: order, namespace: default}
spec:
  awsName: order-vn
  podSelector: {matchLabels: {app.kubernetes.io/name: order}}
  listeners:
    - portMapping: {port: 5000, protocol: http}
      healthCheck:
        {protocol: http, path: /health, healthyThreshold: 2, unhealthyThreshold: 3,
         intervalMillis: 5000, timeoutMillis: 2000}
      timeout: {http: {perRequest: {value: 1500, unit: ms}}}
  serviceDiscovery: {dns: {hostname: order.default.svc.cluster.local}}
  backends:
    - virtualService: {virtualServiceRef: {name: product}}
    - virtualService:
        virtualServiceARN: >-
          arn:aws:appmesh:eu-west-1:111122223333:mesh/other/virtualService/customer.default.svc.cluster.local
"""
NODE_REQUESTS = """
{"meshName": "shopmesh", "virtualNodeName": "order-vn", "spec": {
  "listeners": [{"portMapping": {"port": 5000, "protocol": "http"},
    "healthCheck": {"protocol": "http", "path": "/health", "healthyThreshold": 2, "unhealthyThreshold": 3,
      "intervalMillis": 5000, "timeoutMillis": 2000},
    "timeout": {"http": {"perRequest": {"value": 1500, "unit": "ms"}}}}],
  "serviceDiscovery": {"dns": {"hostname": "order.default.svc.cluster.local"}},
  "backends": [{"virtualService": {"virtualServiceName": "product.default.svc.cluster.local"}},
    {"virtualService": {"virtualServiceName": "customer.default.svc.cluster.local"}}]}}
"""

ROUTER = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: product, namespace: default}
spec:
  listeners: [{portMapping: {port: 5000, protocol: http}}]
  routes:
    - {name: beta, priority: 10, httpRoute: {match: {prefix: /, headers: [{name: x-beta, match: {exact: "1"}}]},
       action: {weightedTargets: [{virtualNodeRef: {name: product-v2}, weight: 100}]}}}
    - {name: product-r, httpRoute: {match: {prefix: /},
       action: {weightedTargets: [{virtualNodeRef: {name: product}, weight: 50},
         {virtualNodeRef: {name: product-v2, namespace: default}, weight: 50}]},
       retryPolicy: {maxRetries: 2, perRetryTimeout: {value: 1, unit: s}, httpRetryEvents: [gateway-error]}}}
"""
ROUTER_REQUESTS = """
{"meshName": "shopmesh", "virtualRouterName": "product_default",
 "spec": {"listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}]}}
{"meshName": "shopmesh", "virtualRouterName": "product_default", "routeName": "beta",
 "spec": {"priority": 10, "httpRoute": {
  "match": {"prefix": "/", "headers": [{"name": "x-beta", "match": {"exact": "1"}}]},
  "action": {"weightedTargets": [{"virtualNode": "product-v2-vn", "weight": 100}]}}}}
{"meshName": "shopmesh", "virtualRouterName": "product_default", "routeName": "product-r", "spec": {"httpRoute": {
  "match": {"prefix": "/"},
  "action": {"weightedTargets": [{"virtualNode": "product-vn", "weight": 50},
    {"virtualNode": "product-v2-vn", "weight": 50}]},
  "retryPolicy": {"maxRetries": 2, "perRetryTimeout": {"value": 1, "unit": "s"},
    "httpRetryEvents": ["gateway-error"]}}}}
"""
SERVICE_REQUESTS = """
{"meshName": "shopmesh", "virtualServiceName": "product.default.svc.cluster.local",
 "spec": {"provider": {"virtualRouter": {"virtualRouterName": "product_default"}}}}
"""

GATEWAY = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: ingress, namespace: default}
spec:
  namespaceSelector: {matchLabels: {mesh: shopmesh}}
  podSelector: {matchLabels: {app.kubernetes.io/name: ingress}}
  listeners: [{portMapping: {port: 8088, protocol: http}}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: product, namespace: default}
spec: {httpRoute: {match: {prefix: /product/}, action: {target: {virtualService: {virtualServiceRef: {name: product}}},
  rewrite: {prefix: {value: /}}}}}
"""
GATEWAY_REQUESTS = """
{"meshName": "shopmesh", "virtualGatewayName": "ingress_default",
 "spec": {"listeners": [{"portMapping": {"port": 8088, "protocol": "http"}}]}}
{"meshName": "shopmesh", "virtualGatewayName": "ingress_default", "gatewayRouteName": "product_default",
 "spec": {"httpRoute": {"match": {"prefix": "/product/"},
  "action": {"target": {"virtualService": {"virtualServiceName": "product.default.svc.cluster.local"}},
    "rewrite": {"prefix": {"value": "/"}}}}}}
"""


def read(*texts: str) -> list[DeclaredResource]:
    return declared_resources(
        [source for index, text in enumerate(texts) for source in documents(text, f"{index}.yaml")]
    )


def requests(*texts: str) -> list[dict[str, Any]]:
    return [parameters(resource) for resource in read(*texts)]


def expected(text: str) -> list[dict[str, Any]]:
    return [dict(source.value) for source in documents(text, "expected.json")]


@pytest.mark.parametrize(
    ("manifest", "around", "wanted"),
    [
        pytest.param(NODE, [SERVICE, ROUTER, NODES], NODE_REQUESTS, id="virtual node"),
        pytest.param(ROUTER, [NODES], ROUTER_REQUESTS, id="virtual router with routes"),
        pytest.param(SERVICE, [ROUTER, NODES], SERVICE_REQUESTS, id="virtual service"),
        pytest.param(GATEWAY, [SERVICE, ROUTER, NODES], GATEWAY_REQUESTS, id="virtual gateway and its route"),
    ],
)
def test_a_manifest_becomes_the_requests_that_the_controller_would_have_sent(
    manifest: str, around: list[str], wanted: str
) -> None:
    """Each worked pair of the CRDs holds, key by key, with references made names and routes taken out of routers."""
    others = [json.dumps(request) for request in requests(NAMESPACE, *around)]

    said = [request for request in requests(NAMESPACE, *around, manifest) if json.dumps(request) not in others]

    assert expected(wanted) == said


def test_cli_json_declares_what_its_manifest_declares() -> None:
    """The same resources come of a router's manifest and of the four requests that a user of the CLI would send."""
    by_manifest = read(NAMESPACE, NODES, ROUTER, SERVICE)
    by_json = read(NAMESPACE, NODES, ROUTER_REQUESTS, SERVICE_REQUESTS)

    assert [(r.key, r.spec) for r in by_manifest] == [(r.key, r.spec) for r in by_json]


def test_json_of_the_public_preview_is_read_too() -> None:
    """The tutorial's own documents: names for backends, `serviceName` in DNS, and `serviceNames` on the router."""
    node = {
        "meshName": "shopmesh",
        "virtualNodeName": "order-vn",
        "spec": {
            "backends": ["product.default.svc.cluster.local"],
            "serviceDiscovery": {"dns": {"serviceName": "order.default.svc.cluster.local"}},
        },
    }
    router = {
        "meshName": "shopmesh",
        "virtualRouterName": "product-vr",
        "spec": {"serviceNames": ["product.default.svc.cluster.local"]},
    }

    assert [
        {
            "meshName": "shopmesh",
            "virtualNodeName": "order-vn",
            "spec": {
                "backends": [{"virtualService": {"virtualServiceName": "product.default.svc.cluster.local"}}],
                "serviceDiscovery": {"dns": {"hostname": "order.default.svc.cluster.local"}},
            },
        },
        {"meshName": "shopmesh", "virtualRouterName": "product-vr", "spec": {}},
        {
            "meshName": "shopmesh",
            "virtualServiceName": "product.default.svc.cluster.local",
            "spec": {"provider": {"virtualRouter": {"virtualRouterName": "product-vr"}}},
        },
    ] == requests(json.dumps(node), json.dumps(router))
