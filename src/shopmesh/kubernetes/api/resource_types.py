"""The types of resources that are read and written, and their paths at the API server.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class ResourceType(NamedTuple):
    """`ResourceType("appmesh.k8s.aws", "v1beta2", "virtualnodes", "VirtualNode")`; the core group's name is empty."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Returns the path of a collection, in one namespace or in all, or of one object or its subresource."""
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/" + "/".join(parts)


_APPMESH = ("appmesh.k8s.aws", "v1beta2")
MESHES = ResourceType(*_APPMESH, "meshes", "Mesh", namespaced=False)
VIRTUAL_NODES = ResourceType(*_APPMESH, "virtualnodes", "VirtualNode")
VIRTUAL_ROUTERS = ResourceType(*_APPMESH, "virtualrouters", "VirtualRouter")
VIRTUAL_SERVICES = ResourceType(*_APPMESH, "virtualservices", "VirtualService")
VIRTUAL_GATEWAYS = ResourceType(*_APPMESH, "virtualgateways", "VirtualGateway")
GATEWAY_ROUTES = ResourceType(*_APPMESH, "gatewayroutes", "GatewayRoute")
BACKEND_GROUPS = ResourceType(*_APPMESH, "backendgroups", "BackendGroup")

MESH_TYPES: Mapping[str, ResourceType] = MappingProxyType(
    {
        one.kind: one
        for one in (
            MESHES,
            VIRTUAL_NODES,
            VIRTUAL_ROUTERS,
            VIRTUAL_SERVICES,
            VIRTUAL_GATEWAYS,
            GATEWAY_ROUTES,
            BACKEND_GROUPS,
        )
    }
)
"""The App Mesh types by the kind in their manifests."""

NAMESPACES = ResourceType("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICES = ResourceType("", "v1", "services", "Service")
PODS = ResourceType("", "v1", "pods", "Pod")
SECRETS = ResourceType("", "v1", "secrets", "Secret")
CONFIG_MAPS = ResourceType("", "v1", "configmaps", "ConfigMap")
ENDPOINT_SLICES = ResourceType("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASES = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
TOKEN_REVIEWS = ResourceType("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
EVENTS = ResourceType("", "v1", "events", "Event")
MUTATING_WEBHOOKS = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
