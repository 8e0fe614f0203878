"""All that can be found wrong, by code: SM1… in documents, SM2… in a running mesh, SM3… around it.

`docs/doctor.md` is made of it. To add a type, write it in the module of its place and import it where it is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from shopmesh.appmesh.catalogue import cluster, documents, running, surroundings, translation
from shopmesh.appmesh.catalogue.finding import Finding, FindingType, Severity, location

__all__ = ["GROUPS", "TYPES", "Finding", "FindingType", "Severity", "location"]


def _types(*modules: ModuleType) -> tuple[FindingType, ...]:
    found = (one for module in modules for one in vars(module).values() if isinstance(one, FindingType))
    return tuple(sorted(found, key=lambda one: one.code))


GROUPS: Mapping[str, tuple[FindingType, ...]] = MappingProxyType(
    {
        "In documents, with or without a control plane": _types(documents),
        "In a running mesh": _types(running, translation),
        "In a cluster": _types(cluster),
        "Around it, seen from where `shopmesh doctor` runs": _types(surroundings),
    }
)

TYPES: Mapping[str, FindingType] = MappingProxyType({one.code: one for group in GROUPS.values() for one in group})
"""By code."""
