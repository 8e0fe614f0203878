"""Manifests of the Kubernetes kinds, as `shopmesh apply` reads and plans them, and the traffic that they make."""

from __future__ import annotations

import pytest

from shopmesh.client.plan import plan
from shopmesh.documents import DeclaredResource, creation_order, declared_resources, documents
from tests.e2e.xds.running import Mesh, Sidecar, get, upstreams
from tests.support.process import eventually
from tests.support.states import arn

KINDS = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: shop}
spec: {egressFilter: {type: DROP_ALL}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: v1, namespace: bank}
spec:
  awsName: v1
  podSelector: {matchLabels: {app: product}}
  listeners: [{portMapping: {port: 5000, protocol: http}}]
  serviceDiscovery: {dns: {hostname: v1.invalid}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: v2, namespace: bank}
spec:
  podSelector: {matchLabels: {app: product}}
  listeners: [{portMapping: {port: 5000, protocol: http}}]
  serviceDiscovery: {dns: {hostname: v2.invalid}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: product, namespace: bank}
spec:
  listeners: [{portMapping: {port: 5000, protocol: http}}]
  routes:
    - name: all
      httpRoute:
        match: {prefix: /}
        action: {weightedTargets: [{virtualNodeRef: {name: VERSION}, weight: 1}]}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: product, namespace: bank}
spec:
  awsName: product.local
  provider: {virtualRouter: {virtualRouterRef: {name: product}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: BackendGroup
metadata: {name: shared, namespace: shop}
spec: {virtualservices: [MEMBERS]}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: order, namespace: shop}
spec:
  awsName: order
  backendGroups: [{name: shared, namespace: shop}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: way-in, namespace: shop}
spec:
  awsName: way-in
  listeners: [{portMapping: {port: 8080, protocol: http}}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: product, namespace: shop}
spec:
  virtualGatewayRef: {name: way-in}
  httpRoute:
    match: {prefix: /}
    action: {target: {virtualService: {virtualServiceRef: {name: product, namespace: bank}}}}
"""
PRODUCT = "http://product.local:5000/"


def seen(order: Sidecar, way_in: Sidecar) -> set[str]:
    """Who answers the sidecar, and who the gateway."""
    return {order.get(PRODUCT)[1], get(way_in.ports[8080], "/")[1]}


def apply(mesh: Mesh, version: str, members: str) -> None:
    """Does what has to be asked of the API so that these manifests are true."""
    text = KINDS.replace("VERSION", version).replace("MEMBERS", members)
    stored = [one for one in mesh.store.state if one.key.kind != "instance"]
    existing = creation_order(DeclaredResource(one.key, one.spec, dict(one.tags)) for one in stored)
    wanted = declared_resources(documents(text, "mesh.yaml"), mesh="shop", existing=existing)
    for step in plan(wanted, {one.key: (one, arn(one.key)) for one in existing}):
        for request in step.requests:
            mesh.ask(request["operation"], **request["parameters"])
    mesh.converge(mesh.store.revision)


@pytest.mark.feature(36, better="without a cluster too: the same manifests run on one machine")
def test_manifests_of_all_kinds_carry_traffic_and_follow_their_changes(mesh: Mesh) -> None:
    """By the gateway and by a sidecar the version answers that the router's manifest names; a BackendGroup gives and
    takes the way to a service.
    """
    with upstreams("v1", "v2") as versions:
        apply(mesh, "v1", "{name: product, namespace: bank}")
        for name, upstream in zip(("v1", "v2_bank"), versions, strict=True):
            mesh.sidecar(name, upstream)
        order = mesh.sidecar("order")
        way_in = mesh.sidecar("way-in", kind="virtualGateway", ports=(8080,))
        eventually(lambda: seen(order, way_in) == {"v1"}, "version 1 by both")

        apply(mesh, "v2", "{name: product, namespace: bank}")
        eventually(lambda: seen(order, way_in) == {"v2"}, "version 2 by both")

        apply(mesh, "v2", "")
        eventually(lambda: order.get(PRODUCT)[0] >= 400, "no backend, no way")
