"""A specification's keys, from the CRDs' form to the API's and back: equal, but for two tables.

    backends:                                    backends:
      - virtualService:                            - virtualService:
          virtualServiceRef: {name: product}  ⇄        virtualServiceName: product.default.svc.cluster.local

No value, unit or order is ever changed, and empty lists stay as they are; comparisons treat them as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh.store import Document
from shopmesh.documents.text.sources import FieldPath

RENAMED = {"certificateARN": "certificateArn", "certificateAuthorityARNs": "certificateAuthorityArns"}
"""CRD's key → API's key, wherever it stands."""


@dataclass(frozen=True)
class ReferenceField:
    """How one mapping refers to another resource: `<stem>Ref` or `<stem>ARN` in a CRD, `key` in the API."""

    kind: str
    stem: str
    key: str


REFERENCES = {
    "weightedTargets": ReferenceField("VirtualNode", "virtualNode", "virtualNode"),
    "virtualNode": ReferenceField("VirtualNode", "virtualNode", "virtualNodeName"),
    "virtualRouter": ReferenceField("VirtualRouter", "virtualRouter", "virtualRouterName"),
    "virtualService": ReferenceField("VirtualService", "virtualService", "virtualServiceName"),
}
"""The key under which a referring mapping stands (itself or in a list) → what it refers to."""

_BACK = {api: crd for crd, api in RENAMED.items()}

Resolve = Callable[[ReferenceField, Document, FieldPath], str]
"""The API's name of what `{"virtualNodeRef": …}` or `{"virtualNodeARN": …}` refers to."""

Refer = Callable[[ReferenceField, str], tuple[str, Any]]
"""The CRD's key and value that refer to an API name."""


def to_api(value: Any, resolve: Resolve, path: FieldPath = ()) -> Any:
    """A CRD's specification, or a part of it, as the API wants it."""
    if isinstance(value, list):
        return [to_api(item, resolve, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    reference = _reference(path)
    spoken = {f"{reference.stem}Ref", f"{reference.stem}ARN"} if reference else set()
    converted: dict[str, Any] = {}
    for key, item in value.items():
        if reference and key in spoken:
            converted[reference.key] = resolve(reference, value, path)
        else:
            converted[_rename(RENAMED, key)] = to_api(item, resolve, (*path, key))
    if reference and reference.key not in converted:
        resolve(reference, value, path)  # says what is missing
    return converted


def to_manifest(value: Any, refer: Refer, path: FieldPath = ()) -> Any:
    """An API specification, or a part of it, as the CRDs have it."""
    if isinstance(value, list):
        return [to_manifest(item, refer, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    reference = _reference(path)
    converted: dict[str, Any] = {}
    for key, item in value.items():
        if reference and key == reference.key:
            spoken, target = refer(reference, item)
            converted[spoken] = target
        else:
            converted[_rename(_BACK, key)] = to_manifest(item, refer, (*path, key))
    return converted


def _reference(path: FieldPath) -> ReferenceField | None:
    words = [step for step in path if isinstance(step, str)]
    return REFERENCES.get(words[-1]) if words else None


def _rename(names: Mapping[str, str], key: str) -> str:
    return names.get(key, key)
