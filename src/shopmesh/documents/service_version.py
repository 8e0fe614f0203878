"""The service and version that a virtual node runs: two labels of its pod selector, as Kubernetes recommends them.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from typing import NamedTuple

from shopmesh.documents.declared_resource import DeclaredResource, base_manifest

NAME_LABEL = "app.kubernetes.io/name"
VERSION_LABEL = "app.kubernetes.io/version"


class ServiceVersion(NamedTuple):
    """A version of a service; as text `product/2.0`, as its responses name it. Either part may be empty."""

    service: str
    version: str

    def __str__(self) -> str:
        return f"{self.service}/{self.version}"


def service_version(resource: DeclaredResource) -> ServiceVersion:
    """What the labels of a virtual node's manifest say; empty where they, or the manifest, are absent."""
    labels = (base_manifest(resource)["spec"].get("podSelector") or {}).get("matchLabels") or {}
    return ServiceVersion(str(labels.get(NAME_LABEL, "")), str(labels.get(VERSION_LABEL, "")))
