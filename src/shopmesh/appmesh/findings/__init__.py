"""What documents show to be wrong although the API accepts each of them.

    ComputingView, Resource ──CHECKS[kind]──► Finding      one small function a type; to add one, write it, name it here

A check reads what documents mean with `shopmesh.appmesh.resolved`; its computations are shared by all checks.

They need the documents alone, so they hold for files without a control plane as well. What only a running mesh shows
is found in `shopmesh.server.live_findings`, what proxies cannot get as it is written where `shopmesh.xds` translates
it, what only a cluster shows in `shopmesh.kubernetes`, and what is wrong around it in
`shopmesh.cli.environment_checks`; the types of all of them are in `shopmesh.appmesh.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.findings import gateways, policies, services, shadowing, targets
from shopmesh.appmesh.resolved import ComputingView, UnchangingView, routers_without_caller
from shopmesh.appmesh.store import Resource, State

Check = Callable[[ComputingView, Resource], Iterator[Finding]]
"""What may be wrong with a resource and all that it refers to; what does not exist (yet) is not reported."""

CHECKS: Mapping[str, tuple[Check, ...]] = MappingProxyType(
    {
        "mesh": (),
        "virtualNode": (services.unknown_backends, policies.unused_tls_ports, policies.impossible_connections),
        "virtualRouter": (services.no_route, shadowing.shadowed_routes),
        "route": (targets.check,),
        "virtualService": (services.no_provider, services.provider_without_listener, services.unused_timeouts),
        "virtualGateway": (gateways.no_route, shadowing.shadowed_gateway_routes, policies.impossible_connections),
        "gatewayRoute": (),
    }
)


def of_documents(documents: State) -> list[Finding]:
    """All that these documents show, errors first; who calls a service is known where the mesh is among them."""
    view = UnchangingView(documents)
    found = [finding for resource in documents for finding in of_resource(view, resource)]
    for mesh in documents.children("mesh", ()):
        for router, service in routers_without_caller(view, mesh.key.name):
            found += services.splits_without_caller(view, router, service)
    return sorted(found, key=lambda finding: finding.sort_key)


def of_resource(view: ComputingView, resource: Resource) -> tuple[Finding, ...]:
    """What is wrong with one resource; its children are looked at apart."""
    return tuple(finding for check in CHECKS.get(resource.key.kind, ()) for finding in check(view, resource))
