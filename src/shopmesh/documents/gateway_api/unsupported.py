"""Warnings about fields that the Gateway API cannot express."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopmesh.appmesh.annotations import PREFIX
from shopmesh.appmesh.resolved import Route, backends
from shopmesh.appmesh.store import Document
from shopmesh.documents.declared_resource import DeclaredResource, at
from shopmesh.documents.gateway_api.output import Warnings

_POLICY = "exists as a vendor's policy only"
_LISTENER = {
    "connectionPool": f"the connection pool {_POLICY}",
    "outlierDetection": f"outlier detection {_POLICY}",
    "timeout": f"the listener's time-outs {_POLICY}",
    "healthCheck": "the health check becomes the Pods' readiness probe",
}
_FIELDS = {
    ("backendDefaults",): "the client policy (TLS to backends) becomes a BackendTLSPolicy",
    ("logging",): "the access log is a matter of the implementation",
    ("serviceDiscovery", "awsCloudMap"): "Cloud Map is not read; a Service takes its place",
    ("serviceDiscovery", "ipPreference"): "the IP preference is a matter of the Services (ipFamilyPolicy)",
    ("serviceDiscovery", "dns", "ipPreference"): "the IP preference is a matter of the Services (ipFamilyPolicy)",
}
_RETRIES = (
    "where no retry policy is written, App Mesh retried twice (connection errors, 503, gRPC unavailable); the Gateway"
    " API retries only what is written"
)


def unsupported_fields(resource: DeclaredResource) -> Iterator[str]:
    """One line each."""
    warnings = Warnings(f"{resource.key.kind} {'/'.join(resource.key.path[1:]) or resource.key.name}")
    spec = resource.spec
    if resource.key.kind == "mesh" and at(spec, ("egressFilter", "type")) != "ALLOW_ALL":
        warnings.add(f"the egress filter DROP_ALL {_POLICY}: the workloads will reach hosts outside the mesh")
    for path, what in _FIELDS.items():
        if at(spec, path) is not None:
            warnings.add(what)
    if any(backend.get("clientPolicy") for backend in backends(spec)):
        warnings.add(_FIELDS["backendDefaults",])
    for listener in spec.get("listeners", ()):
        _unsupported_in_listener(resource, listener, warnings)
    for name in sorted(tag for tag in resource.tags if tag.startswith(PREFIX)):
        warnings.add(f"{name} is not written")
    yield from warnings.lines


def lost_default_retries(routes: Iterable[Route]) -> Iterator[str]:
    """Warns where a route relies on the default retry policy, which its document does not show."""
    if any(route.kind != "tcpRoute" and not route.retry.written for route in routes):
        yield _RETRIES


def _unsupported_in_listener(resource: DeclaredResource, listener: Document, warnings: Warnings) -> None:
    for name, what in _LISTENER.items():
        if name in listener:
            warnings.add(what)
    if resource.key.kind == "virtualNode" and "tls" in listener:
        warnings.add("TLS between workloads is the mesh's own matter (mutual TLS by its certificates)")
