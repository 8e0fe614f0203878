"""What labels say of a virtual node: its service and version in its pod selector, and whether it is the way in.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from typing import NamedTuple

from shopmesh.defaults import WAY_IN_LABEL
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


def is_way_in(resource: DeclaredResource) -> bool:
    """Whether a virtual node has the label of the way in."""
    return (base_manifest(resource)["metadata"].get("labels") or {}).get(WAY_IN_LABEL) == "true"
