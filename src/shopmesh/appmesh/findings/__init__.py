"""What documents show to be wrong although the API accepts each of them.

    View, Resource ──CHECKS[kind]──► Finding       one small function a type; to add one, write it and name it here

They need the documents alone, so they hold for files without a control plane as well. What only a running mesh shows
is found in `shopmesh.server.live_findings`, what is wrong around it in `shopmesh.cli.environment_checks`; the types of
all of them are in `shopmesh.appmesh.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from types import MappingProxyType

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.findings import gateways, policies, services, shadowing, targets
from shopmesh.appmesh.resolved import called_services, routers_without_caller, service_targets
from shopmesh.appmesh.store import Resource, State, View

Check = Callable[[View, Resource], Iterator[Finding]]
"""What may be wrong with a resource and all that it refers to; what does not exist (yet) is not reported."""

CHECKS: Mapping[str, tuple[Check, ...]] = MappingProxyType(
    {
        "mesh": (),
        "virtualNode": (services.unknown_backends, policies.unused_tls_ports),
        "virtualRouter": (services.no_route, shadowing.shadowed_routes),
        "route": (targets.check,),
        "virtualService": (services.no_provider, services.provider_without_listener, services.unused_timeouts),
        "virtualGateway": (gateways.no_route, shadowing.shadowed_gateway_routes),
        "gatewayRoute": (),
    }
)


def of_documents(documents: State) -> list[Finding]:
    """All that these documents show, errors first; who calls a service is known where the mesh is among them."""
    targets = cache(partial(service_targets, documents))
    found = [finding for resource in documents for finding in of_resource(documents, resource, targets)]
    for mesh in documents.children("mesh", ()):
        name = mesh.key.name
        for router, service in routers_without_caller(documents, name, called_services(documents, name)):
            found += services.splits_without_caller(documents, router, service)
    return sorted(found, key=lambda finding: finding.sort_key)


def of_resource(view: View, resource: Resource, targets: policies.ServiceTargets) -> tuple[Finding, ...]:
    """What is wrong with one resource; its children are looked at apart."""
    return (
        *(finding for check in CHECKS.get(resource.key.kind, ()) for finding in check(view, resource)),
        *policies.impossible_connections(view, resource, targets),
    )
