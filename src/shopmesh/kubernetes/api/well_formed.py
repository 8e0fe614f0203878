"""The fields of Kubernetes' own types that are read, and the types that they have.

An API server sends nothing else. The types are checked all the same, once, where an object comes in, so that no code
behind it has to expect a list in place of a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shopmesh.appmesh.api.validation import quote
from shopmesh.kubernetes.api.resource_types import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES, ResourceType

Shape = type | dict[str, Any] | list[Any]
"""A type; an object, by its fields that are read; a list of one shape; `{"": shape}` is an object with any fields."""

_METADATA: Shape = {"labels": {"": str}, "annotations": {"": str}, "uid": str, "resourceVersion": str}
_PORTS: Shape = [{"name": str, "port": int}]
_SHAPES: Mapping[ResourceType, Shape] = {
    NAMESPACES: {"metadata": _METADATA},
    PODS: {"metadata": _METADATA},
    SERVICES: {"metadata": _METADATA, "spec": {"type": str, "ports": _PORTS}},
    ENDPOINT_SLICES: {
        "metadata": _METADATA,
        "addressType": str,
        "ports": _PORTS,
        "endpoints": [
            {
                "addresses": [str],
                "conditions": {"ready": bool, "serving": bool, "terminating": bool},
                "targetRef": {"kind": str, "name": str},
            }
        ],
    },
}


def require_well_formed(kind: ResourceType, found: Any) -> None:
    """Raises ValueError with the field and its value for an object of these types that no API server sends."""
    if (shape := _SHAPES.get(kind)) is not None:
        _require(found, shape, "")


def _require(value: Any, shape: Shape, path: str) -> None:
    if value is None:
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(f"{path} is {quote(value)}, and should be a list")
        for index, item in enumerate(value):
            if item is None:
                raise ValueError(f"{path}[{index}] is null")
            _require(item, shape[0], f"{path}[{index}]")
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{path or 'it'} is {quote(value)}, and should be an object")
        for name, inner in shape.items():
            for field in [name] if name else value:
                _require(value.get(field), inner, f"{path}.{field}".removeprefix("."))
    elif type(value) is not shape:
        raise ValueError(f"{path} is {quote(value)}, and should be of type {shape.__name__}")
