"""A mesh of one node, one route and one service, as manifests."""

MESH = """\
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata:
  name: shop
spec: {}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata:
  name: one
spec:
  awsName: one
  listeners:
    - portMapping: {port: 80, protocol: http}
  serviceDiscovery: {}
  backends:
    - virtualService:
        virtualServiceRef: {name: web}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata:
  name: web
spec:
  awsName: web
  listeners:
    - portMapping: {port: 80, protocol: http}
  routes:
    - name: all
      httpRoute:
        match: {prefix: /}
        action:
          weightedTargets:
            - virtualNodeRef: {name: one}
              weight: 50
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata:
  name: web
spec:
  awsName: web.shop
  provider:
    virtualRouter:
      virtualRouterRef: {name: web}
"""
