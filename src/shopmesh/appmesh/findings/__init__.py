"""Mistakes in a mesh that the API accepts: what no request can be refused for, and yet nobody means.

    View, Resource ──LOOKS[kind]──► Finding       one small function a mistake; to add one, write it and name it here

They need the documents alone, so they hold for files without a control plane as well. Mistakes that only a running
mesh can show are in `shopmesh.server.findings`, those of a machine in `shopmesh.cli.surroundings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shopmesh.appmesh.findings import gateways, policies, services, shadowing, targets
from shopmesh.appmesh.findings.finding import Finding, Look, Mistake, Severity, place
from shopmesh.appmesh.store import Resource, State, View

LOOKS: Mapping[str, tuple[Look, ...]] = MappingProxyType(
    {
        "mesh": (),
        "virtualNode": (services.unknown_backends, policies.ports_of_nobody),
        "virtualRouter": (services.no_route, shadowing.shadowed_routes),
        "route": (targets.look,),
        "virtualService": (services.no_provider, services.not_listening),
        "virtualGateway": (gateways.no_route, shadowing.shadowed_gateway_routes),
        "gatewayRoute": (),
    }
)

MISTAKES: tuple[Mistake, ...] = (
    services.UNKNOWN_BACKEND,
    services.NO_PROVIDER,
    services.NO_ROUTE,
    services.NOT_LISTENING,
    targets.NO_LISTENER,
    targets.WRONG_PROTOCOL,
    targets.OTHER_PROTOCOL,
    targets.WEIGHT_NOWHERE,
    targets.NAMED_TWICE,
    targets.WHICH_LISTENER,
    targets.TIMEOUT,
    targets.IDLE_TIMEOUT,
    shadowing.SHADOWED,
    shadowing.GATEWAY_SHADOWED,
    gateways.NO_ROUTE,
    policies.NO_PORT,
)

__all__ = ["LOOKS", "MISTAKES", "Finding", "Look", "Mistake", "Severity", "of_documents", "of_resource", "place"]


def of_documents(documents: State) -> list[Finding]:
    """All that these documents show, errors first."""
    found = [finding for resource in documents for finding in of_resource(documents, resource)]
    return sorted(found, key=lambda finding: finding.order)


def of_resource(view: View, resource: Resource) -> tuple[Finding, ...]:
    """What is wrong with one resource; that of its children is theirs."""
    return tuple(finding for look in LOOKS.get(resource.key.kind, ()) for finding in look(view, resource))
