"""What things are called: on the API's side, in Kubernetes, and in references between them.

The rules are those of AWS's controller for Kubernetes: https://github.com/aws/aws-app-mesh-controller-for-k8s
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

KINDS = {
    "Mesh": "mesh",
    "VirtualNode": "virtualNode",
    "VirtualRouter": "virtualRouter",
    "VirtualService": "virtualService",
    "VirtualGateway": "virtualGateway",
    "GatewayRoute": "gatewayRoute",
}
"""A manifest's kind → the kind in the API. Routes stand in their router; a BackendGroup is not a resource."""

MANIFEST_KINDS = {kind: manifest for manifest, kind in KINDS.items()}

DEFAULT_NAMESPACE = "default"

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_OBJECT_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME_AND_NAMESPACE = re.compile(rf"({_LABEL}(?:\.{_LABEL})*)_({_LABEL})")
_SERVICE_NAME = re.compile(rf"({_LABEL})\.({_LABEL})(?:\.svc\.cluster\.local)?")
_ARN = re.compile(r"arn:[^:]*:appmesh:[^:]*:[^:]*:mesh/[^/]+/(?P<type>[A-Za-z]+)/(?P<name>.+)")


class ObjectName(NamedTuple):
    """The name of a Kubernetes object: `("VirtualNode", "default", "product")`; a Mesh has the namespace ""."""

    kind: str
    namespace: str
    name: str

    @property
    def in_words(self) -> str:
        """`VirtualNode default/product`, `Mesh shopmesh`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def default_name(name: ObjectName) -> str:
    """The `awsName` of an object that spells none."""
    match name.kind:
        case "Mesh":
            return name.name
        case "VirtualService":
            return f"{name.name}.{name.namespace}"
        case _:
            return f"{name.name}_{name.namespace}"


def object_name(manifest_kind: str, api_name: str) -> ObjectName:
    """A valid name for the Kubernetes object of an API resource that came without one.

    `product_default` and, for a virtual service, `product.default.svc.cluster.local` are taken apart; what Kubernetes
    does not allow is replaced, and a hash of the whole keeps two such names apart.
    """
    if manifest_kind == "Mesh":
        return ObjectName(manifest_kind, "", _to_valid_name(api_name))
    pattern = _SERVICE_NAME if manifest_kind == "VirtualService" else _NAME_AND_NAMESPACE
    if (found := pattern.fullmatch(api_name)) and len(found[1]) <= 253:
        return ObjectName(manifest_kind, found[2], found[1])
    return ObjectName(manifest_kind, DEFAULT_NAMESPACE, _to_valid_name(api_name))


def with_hash(name: str, api_name: str) -> str:
    """`name` with a hash of the API's name, which makes it unique."""
    return f"{name[:240].rstrip('-.')}-{hashlib.sha256(api_name.encode()).hexdigest()[:8]}"


def arn_name(arn: str, kind: str) -> str | None:
    """The name in an ARN of that kind (`virtualNode`, …), or None when it is none. Nothing else in it counts."""
    found = _ARN.fullmatch(arn)
    return found["name"] if found and found["type"] == kind else None


def _to_valid_name(api_name: str) -> str:
    if len(api_name) <= 253 and _OBJECT_NAME.fullmatch(api_name):
        return api_name
    words = re.sub(r"[^a-z0-9]+", "-", api_name.lower()).strip("-")
    return with_hash(words or "x", api_name)
