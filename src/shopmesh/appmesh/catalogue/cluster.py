"""What only a cluster shows to be wrong."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

IDENTITY_BY_SELECTOR_ONLY = FindingType(
    "SM220",
    "warning",
    "Pods are identified as proxies of a node by its podSelector alone",
    "a user who may change a pod's labels, or a podSelector in its namespace, can make it the proxy of another node",
    "recreate them from a template with the label shopmesh.dev/virtual-node (shopmesh.dev/virtual-gateway), or "
    "by `kubectl rollout restart` if the webhook injects their sidecars",
)
OVERLAPPING_SELECTORS = FindingType(
    "SM221",
    "error",
    "Several virtual nodes or gateways select the same pod",
    "the webhook refuses new pods like it, and a pod without the label of its node or gateway gets no configuration",
    "change the podSelectors so that each pod matches only one of them",
)
SHARED_SERVICE = FindingType(
    "SM222",
    "error",
    "Several virtual nodes name the same Service",
    "each of them has all endpoints of the Service, so that weights between these nodes decide nothing: every version "
    "gets its part of the requests to each of them",
    "give each virtual node a Service of its own whose selector takes only its pods",
)
