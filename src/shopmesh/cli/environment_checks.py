"""Checks what surrounds a mesh: its control plane, this machine's Envoy, and DNS names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from shopmesh.appmesh.catalogue import Finding, FindingType
from shopmesh.appmesh.catalogue.surroundings import CLOCKS_DIFFER, NO_ENVOY, OTHER_VERSION
from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.resolved import provider_key
from shopmesh.appmesh.store import Key
from shopmesh.client import Health, ProxyDocument
from shopmesh.documents import DeclaredResource

SIGNATURE_TOLERANCE_SECONDS = 300
"""Clock skew beyond which signed requests are refused."""
MAX_SKEW_SECONDS = 30


def is_local(endpoint_url: str) -> bool:
    """Whether the control plane runs on this machine."""
    host = urlsplit(endpoint_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def control_plane_key(endpoint_url: str) -> Key:
    """The key of findings about a control plane."""
    return Key("controlPlane", (endpoint_url,))


def check_health(health: Health, endpoint_url: str, version: str, before: float, after: float) -> Iterator[Finding]:
    """Compares versions and clocks; `before` and `after` are this machine's time around the answer, in Unix seconds."""
    key = control_plane_key(endpoint_url)
    theirs = health.get("version", "an earlier one")
    if theirs != version:
        yield OTHER_VERSION.at(key, f"has version {theirs}; this program has {version}")
    now = health.get("time")
    if now is not None:
        off = max(before - now, now - after)
        if off > MAX_SKEW_SECONDS:
            refused = ", so signed requests are refused" if off > SIGNATURE_TOLERANCE_SECONDS else ""
            yield CLOCKS_DIFFER.at(key, f"its clock and this machine's differ by {off:.0f} s{refused}")


def check_envoy(path: str, required: str, installed: str | None) -> Iterator[Finding]:
    """`installed` is the output of `envoy --version`; None if it cannot be run."""
    key = Key("envoy", (path,))
    if installed is None:
        yield NO_ENVOY.at(key, f"is missing; version {required} is required")
    elif f"/{required}/" not in installed:
        yield NO_ENVOY.at(key, f"is {installed.strip().rpartition(' ')[2]}, but {required} is required")


def host_names(resources: Iterable[DeclaredResource], proxies: Iterable[ProxyDocument]) -> dict[str, Key]:
    """The host names that callers look up: those of virtual nodes that receive requests and have no proxy."""
    known = {(proxy["mesh"], proxy["name"]) for proxy in proxies if proxy["kind"] == "virtualNode"}
    resources = list(resources)
    called = {name for one in resources for name in _called_nodes(one)}
    found = {}
    for one in resources:
        hostname = ((one.spec.get("serviceDiscovery") or {}).get("dns") or {}).get("hostname")
        node = (one.key.mesh, one.key.name)
        if one.key.kind == "virtualNode" and hostname and node in called and node not in known:
            found[hostname] = one.key
    return found


def service_names(resources: Iterable[DeclaredResource]) -> dict[str, Key]:
    """The names of virtual services, which applications call."""
    return {one.key.name: one.key for one in resources if one.key.kind == "virtualService"}


def check_names(finding_type: FindingType, names: Mapping[str, Key], failures: Mapping[str, str]) -> Iterator[Finding]:
    """`failures` are the names that do not resolve, with the reason."""
    for name, reason in failures.items():
        yield finding_type.at(names[name], f"{name} does not resolve on this machine ({reason})")


def _called_nodes(resource: DeclaredResource) -> Iterator[tuple[str, str]]:
    mesh = resource.key.mesh
    if resource.key.kind == "route":
        yield from ((mesh, target["virtualNode"]) for target in weighted_targets(resource.spec) if target["weight"])
    elif resource.key.kind == "virtualService":
        provider = provider_key(mesh, resource.spec)
        if provider is not None and provider.kind == "virtualNode":
            yield mesh, provider.name
