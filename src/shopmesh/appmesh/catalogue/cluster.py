"""What only a cluster shows to be wrong."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

IDENTITY_BY_SELECTOR_ONLY = FindingType(
    "SM220",
    "warning",
    "Pods are proxies of a node by its podSelector alone",
    "anyone who may change a pod's labels, or a podSelector in its namespace, can make it the proxy of another node",
    "create them anew from a template with the label shopmesh.dev/virtual-node (shopmesh.dev/virtual-gateway), or "
    "by `kubectl rollout restart` where the webhook injects",
)
OVERLAPPING_SELECTORS = FindingType(
    "SM221",
    "error",
    "Several virtual nodes or gateways select the same pod",
    "a new pod like it is refused by the webhook, and one that says nowhere whose proxy it is gets no configuration",
    "make their podSelectors differ",
)
