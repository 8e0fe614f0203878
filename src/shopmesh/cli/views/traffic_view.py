"""Who answers for a resource, and who decides it: weights, proxies and callers, for `describe`. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shopmesh.appmesh.kinds import KINDS, weighted_targets
from shopmesh.appmesh.resolved import backends
from shopmesh.appmesh.store import Key
from shopmesh.cli.views.status_view import proxy_state
from shopmesh.cli.views.tables import percent
from shopmesh.client import ProxyDocument
from shopmesh.documents import DeclaredResource
from shopmesh.documents.service_version import service_version


def traffic_facts(key: Key, resources: Sequence[DeclaredResource], proxies: Sequence[ProxyDocument]) -> dict[str, Any]:
    """The routes, weights and callers of a virtual service; the proxies of a node or gateway; else nothing."""
    match key.kind:
        case "virtualService":
            return {
                "routes": list(_routes(key, resources, proxies)),
                "callers": [_with_proxies(caller, proxies) for caller in dict.fromkeys(_callers(key, resources))],
            }
        case "virtualNode" | "virtualGateway":
            return {"proxies": _states(key, proxies)}
    return {}


def _routes(
    key: Key, resources: Sequence[DeclaredResource], proxies: Sequence[ProxyDocument]
) -> Iterator[dict[str, Any]]:
    """The routes of a virtual service; a service that a virtual node provides has one target."""
    service = next(one for one in resources if one.key == key)
    provider = service.spec.get("provider", {})
    versions = {one.key.name: service_version(one) for one in resources if one.key.kind == "virtualNode"}

    def describe_target(name: str, weight: Mapping[str, Any]) -> dict[str, Any]:
        version = versions.get(name)
        return {
            "virtualNode": name,
            **({"version": str(version)} if version is not None and version.version else {}),
            **weight,
            "proxies": _states(Key("virtualNode", (key.mesh, name)), proxies),
        }

    if node := provider.get("virtualNode", {}).get("virtualNodeName"):
        yield {"targets": [describe_target(node, {})]}
    router = provider.get("virtualRouter", {}).get("virtualRouterName")
    for route in resources:
        if route.key.kind != "route" or route.key.path[1] != router:
            continue
        targets = weighted_targets(route.spec)
        total = sum(target["weight"] for target in targets)
        yield {
            "route": "/".join(route.key.path[1:]),
            "targets": [
                describe_target(
                    target["virtualNode"],
                    {"weight": target["weight"], "share": percent(target["weight"] / total if total else None)},
                )
                for target in targets
            ],
        }


def _with_proxies(key: Key, proxies: Iterable[ProxyDocument]) -> dict[str, Any]:
    return {key.kind: key.name, "proxies": _states(key, proxies)}


def _states(key: Key, proxies: Iterable[ProxyDocument]) -> dict[str, str]:
    """The proxies of a virtual node or gateway, each with its state."""
    return {
        proxy["instance"]: proxy_state(proxy).plain
        for proxy in proxies
        if (proxy["kind"], proxy["name"]) == (key.kind, key.name)
    }


def _callers(service: Key, resources: Iterable[DeclaredResource]) -> Iterator[Key]:
    """The virtual nodes and gateways whose Envoys choose among the versions of a virtual service."""
    for one in resources:
        if one.key.kind == "virtualNode" and service.name in {
            backend["virtualServiceName"] for backend in backends(one.spec)
        }:
            yield one.key
        if one.key.kind == "gatewayRoute" and service in {
            reference.key for reference in KINDS["gatewayRoute"].references(one.key.mesh, one.spec)
        }:
            yield Key("virtualGateway", one.key.path[:2])
