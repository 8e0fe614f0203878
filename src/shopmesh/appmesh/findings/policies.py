"""Client policies: what callers ask of the TLS of their connections, against what their targets' listeners have."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import NO_CLIENT_CERTIFICATE, POLICY_WITHOUT_PORT, TLS_NOT_OFFERED
from shopmesh.appmesh.document_types import ClientTlsDocument
from shopmesh.appmesh.resolved import (
    ComputingView,
    Target,
    TlsPolicy,
    backends,
    default_tls,
    enforces,
    gateway_routes_of,
    listener_of,
    offers_tls,
    own_tls,
    policy_by_target,
    ports,
    provider,
    routes_of,
    service_targets,
    tls_by_backend,
    tls_policy,
)
from shopmesh.appmesh.store import Key, Resource


def unused_tls_ports(view: ComputingView, node: Resource) -> Iterator[Finding]:
    for backend in backends(node.spec):
        policy = tls_policy(own_tls(backend))
        wanted = policy.ports if policy else ()
        has = _ports(view, node.key.mesh, backend["virtualServiceName"]) if wanted else set()
        if has and has.isdisjoint(wanted):
            named, there = ", ".join(map(str, sorted(wanted))), ", ".join(map(str, sorted(has)))
            what = f"enforces TLS to {backend['virtualServiceName']} on port {named}, but its ports are {there}"
            yield POLICY_WITHOUT_PORT.at(node.key, what)


def impossible_connections(view: ComputingView, caller: Resource) -> Iterator[Finding]:
    """What a virtual node or gateway cannot connect to, by the policy that it has for each target."""
    policies = _policies(view, caller).items()
    mesh = caller.key.mesh
    chosen, _ = policy_by_target((tls_policy(tls), view.compute(service_targets, mesh, name)) for name, tls in policies)
    for target, policy in chosen.items():
        listener = listener_of(view, target)
        there = f"port {target.port} of {target.node}"
        if not offers_tls(listener):
            if enforces(policy, target):
                yield TLS_NOT_OFFERED.at(caller.key, f"enforces TLS on calls to {there}, which has none")
        elif listener and listener["tls"].get("validation") and not _has_certificate(policy, target):
            what = f"has no certificate for calls to {there}, which asks for one"
            yield NO_CLIENT_CERTIFICATE.at(caller.key, what)


def _policies(view: ComputingView, caller: Resource) -> dict[str, ClientTlsDocument | None]:
    """The services that it calls, each with the `tls` of its client policy."""
    if caller.key.kind == "virtualNode":
        return tls_by_backend(caller.spec)
    routes = view.compute(gateway_routes_of, caller.key)
    return dict.fromkeys((one.service for one in routes), default_tls(caller.spec))


def _has_certificate(policy: TlsPolicy | None, target: Target) -> bool:
    return policy is not None and policy.covers(target) and policy.has_certificate


def _ports(view: ComputingView, mesh: str, name: str) -> set[int]:
    """Those by which a virtual service is called and those to which its calls go; none where that is not known."""
    service = view.get(Key("virtualService", (mesh, name)))
    behind = provider(view, service) if service else None
    if behind is None:
        return set()
    found = set(ports(behind))
    for route in view.compute(routes_of, behind.key) if behind.key.kind == "virtualRouter" else ():
        for one in route.targets:
            if one.listeners is None:
                return set()
            found |= {listener.port for listener in one.listeners}
    return found
