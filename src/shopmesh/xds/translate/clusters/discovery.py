"""How the callers of a virtual node find it: by its declared instances, or by DNS.

awsCloudMap        the instances that have its attributes; Cloud Map itself is not asked (feature 4)
dns                the instances, or the host name as long as none was ever declared (feature 3)
neither            the instances
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import NO_ATTRIBUTES, NO_SUITABLE_INSTANCE
from shopmesh.appmesh.document_types import DnsDocument, ServiceDiscoveryDocument
from shopmesh.appmesh.store import Key, Resource, View
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.instances import is_withdrawn

_DEFAULT_PREFERENCE = "IPv4_PREFERRED"
_VERSIONS: Mapping[str, int] = {"IPv4_ONLY": 4, "IPv6_ONLY": 6}


def dns(view: View, mesh: str, node: str) -> DnsDocument | None:
    """The `dns` of a node that is resolved by DNS; None of one that is found by its instances."""
    found = _discovery(view, mesh, node).get("dns")
    return None if view.children("instance", (mesh, "virtualNode", node)) else found


def ip_preference(view: View, mesh: str, node: str) -> str:
    """The IP preference of a node, else that of its mesh (feature 6)."""
    found = _discovery(view, mesh, node)
    how = found.get("dns") or found.get("awsCloudMap")
    of_mesh = view.get(Key("mesh", (mesh,)))
    default: str | None = (of_mesh.spec.get("serviceDiscovery") or {}).get("ipPreference") if of_mesh else None
    return (how.get("ipPreference") if how else None) or default or _DEFAULT_PREFERENCE


def addresses(view: View, mesh: str, node: str, port: int) -> tuple[tuple[str, int], ...]:
    """The addresses of a virtual node's instances for one of its ports."""
    specs = (one.spec for one in _matching_instances(view, mesh, node))
    return tuple(dict.fromkeys((spec["address"], spec["ports"].get(str(port), port)) for spec in specs))


def findings(view: TrackingView, mesh: str, node: str) -> tuple[Finding, ...]:
    """Computation: where the callers of a node do not get its discovery as its document says."""
    return tuple(_findings(view, mesh, node))


def _matching_instances(view: View, mesh: str, node: str) -> Iterator[Resource]:
    required = _attributes(view, mesh, node)
    version = _VERSIONS.get(ip_preference(view, mesh, node))
    for one in _declared_instances(view, mesh, node):
        declared = one.spec.get("attributes")
        # In Cloud Map attributes chose the node; a proxy names its node itself, so one without attributes is accepted.
        fits = declared is None or required.items() <= declared.items()
        if fits and version in (None, ipaddress.ip_address(one.spec["address"]).version):
            yield one


def _findings(view: View, mesh: str, node: str) -> Iterator[Finding]:
    key = Key("virtualNode", (mesh, node))
    required = _attributes(view, mesh, node)
    instances = _declared_instances(view, mesh, node)
    silent = [one.key.name for one in instances if "attributes" not in one.spec] if required else []
    if silent:
        yield NO_ATTRIBUTES.at(
            key, f"asks Cloud Map for instances with {_text(required)}, and {', '.join(silent)} declares no attributes"
        )
    if instances and not any(_matching_instances(view, mesh, node)):
        preference = ip_preference(view, mesh, node)
        requirements = " and ".join((preference, *([_text(required)] if required else [])))
        addresses = ", ".join(one.spec["address"] for one in instances)
        yield NO_SUITABLE_INSTANCE.at(key, f"requires {requirements}, which none of its instances has: {addresses}")


def _declared_instances(view: View, mesh: str, node: str) -> list[Resource]:
    return [one for one in view.children("instance", (mesh, "virtualNode", node)) if not is_withdrawn(one)]


def _attributes(view: View, mesh: str, node: str) -> dict[str, str]:
    cloud_map = _discovery(view, mesh, node).get("awsCloudMap")
    return {one["key"]: one["value"] for one in (cloud_map.get("attributes") if cloud_map else None) or ()}


def _discovery(view: View, mesh: str, node: str) -> ServiceDiscoveryDocument:
    found = view.get(Key("virtualNode", (mesh, node)))
    return (found.spec.get("serviceDiscovery") or {}) if found else {}


def _text(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in attributes.items())
