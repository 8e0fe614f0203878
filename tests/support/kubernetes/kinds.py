"""The types that the test server knows, and how Kubernetes treats each."""

from __future__ import annotations

from typing import NamedTuple

from shopmesh.kubernetes.api import resource_types
from shopmesh.kubernetes.api.resource_types import MESH_TYPES, ResourceType


class Kind(NamedTuple):
    """One type; `counts` is whether it has a `generation`, `defined` whether a CustomResourceDefinition made it."""

    type: ResourceType
    status: bool = False
    counts: bool = False
    defined: bool = False
    unconditional: bool = True
    """Whether it may be replaced without naming a resourceVersion."""


_DEPLOYMENTS = ResourceType("apps", "v1", "deployments", "Deployment")
_SERVICE_ACCOUNTS = ResourceType("", "v1", "serviceaccounts", "ServiceAccount")

KINDS: tuple[Kind, ...] = (
    *(Kind(one, status=True, counts=True, defined=True, unconditional=False) for one in MESH_TYPES.values()),
    Kind(resource_types.NAMESPACES, status=True),
    Kind(resource_types.SERVICES, status=True),
    Kind(resource_types.PODS, status=True, counts=True),
    Kind(resource_types.SECRETS),
    Kind(resource_types.CONFIG_MAPS),
    Kind(_SERVICE_ACCOUNTS),
    Kind(resource_types.ENDPOINT_SLICES, counts=True),
    Kind(resource_types.EVENTS),
    Kind(resource_types.LEASES, unconditional=False),
    Kind(resource_types.MUTATING_WEBHOOKS, counts=True, unconditional=False),
    Kind(_DEPLOYMENTS, status=True, counts=True),
)


def kind_of(api_version: str, kind: str) -> Kind:
    """By what manifests say."""
    for one in KINDS:
        if (one.type.api_version, one.type.kind) == (api_version, kind):
            return one
    raise LookupError(f"the test server knows no {kind} of {api_version}: add it to tests/support/kubernetes/kinds.py")


def kind_at(type_: ResourceType) -> Kind:
    return kind_of(type_.api_version, type_.kind)
