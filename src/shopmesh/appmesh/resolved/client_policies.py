"""Client policies: what callers ask of the TLS of their connections to a backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

from shopmesh.appmesh.document_types import (
    BackendDefaultsDocument,
    ClientPolicyDocument,
    ClientTlsDocument,
    VirtualServiceBackendDocument,
)
from shopmesh.appmesh.resolved.listeners import Target
from shopmesh.appmesh.resolved.service import backends
from shopmesh.appmesh.store import Document


class Policy(Protocol):
    """A client policy in whatever form its reader needs."""

    @property
    def enforce(self) -> bool: ...

    def covers(self, target: Target) -> bool: ...


P = TypeVar("P", bound=Policy)


class TlsPolicy(NamedTuple):
    """A `clientPolicy` as far as documents alone decide what comes of it; without `ports` it is for all of them."""

    enforce: bool
    ports: frozenset[int]
    has_certificate: bool

    def covers(self, target: Target) -> bool:
        return not self.ports or target.port in self.ports


def tls_policy(document: ClientTlsDocument | None) -> TlsPolicy | None:
    """Of the `tls` of a `clientPolicy`."""
    if document is None:
        return None
    return TlsPolicy(document.get("enforce", True), frozenset(document.get("ports") or ()), "certificate" in document)


def default_tls(spec: Document) -> ClientTlsDocument | None:
    """Of a virtual node or gateway: the `tls` of the policy for backends that have none of their own."""
    defaults: BackendDefaultsDocument = spec.get("backendDefaults") or {}
    return _tls(defaults.get("clientPolicy"))


def own_tls(backend: VirtualServiceBackendDocument) -> ClientTlsDocument | None:
    """Of a backend: the `tls` of its own policy."""
    return _tls(backend.get("clientPolicy"))


def tls_by_backend(spec: Document) -> dict[str, ClientTlsDocument | None]:
    """The backends of a virtual node by virtual service, each with the `tls` of its own policy or the default one."""
    common = default_tls(spec)
    found: dict[str, ClientTlsDocument | None] = {}
    for service in backends(spec):
        own = own_tls(service)
        found.setdefault(service["virtualServiceName"], common if own is None else own)
    return found


def policy_by_target(
    policies: Iterable[tuple[P | None, Iterable[Target]]],
) -> tuple[dict[Target, P | None], frozenset[Target]]:
    """One policy for each target, and the targets to which several different ones lead.

    Envoy has one cluster a target. Of different policies the one that enforces TLS is taken, else the first.
    """
    chosen: dict[Target, P | None] = {}
    different = set()
    for policy, targets in policies:
        for target in targets:
            if target not in chosen:
                chosen[target] = policy
            elif chosen[target] != policy:
                different.add(target)
                if enforces(policy, target) and not enforces(chosen[target], target):
                    chosen[target] = policy
    return chosen, frozenset(different)


def enforces(policy: Policy | None, target: Target) -> bool:
    """Whether connections to a target are made with TLS or not at all."""
    return policy is not None and policy.enforce and policy.covers(target)


def _tls(policy: ClientPolicyDocument | None) -> ClientTlsDocument | None:
    return policy.get("tls") if policy else None
