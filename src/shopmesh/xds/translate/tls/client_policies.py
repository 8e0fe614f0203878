"""The TLS policies of a caller, ready for its clusters."""

from __future__ import annotations

from collections.abc import Iterable

from shopmesh.appmesh import resolved
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import DIFFERENT_POLICIES
from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Document, Key
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.translate.tls.tls import ClientPolicy, client_policy, origination

Policies = tuple[tuple[Target, ClientPolicy], ...]
"""The policy of each target that has one, sorted by target."""


def default(spec: Document, host_policy: HostPolicy) -> ClientPolicy | None:
    """The policy of a virtual node or gateway for backends without one of their own."""
    return client_policy(resolved.default_tls(spec), host_policy)


def of_backends(spec: Document, host_policy: HostPolicy) -> dict[str, ClientPolicy | None]:
    """The backends of a virtual node by virtual service, each with its own policy or the default."""
    return {name: client_policy(tls, host_policy) for name, tls in resolved.tls_by_backend(spec).items()}


def by_target(
    view: TrackingView, caller: Key, backends: Iterable[tuple[ClientPolicy | None, Iterable[Target]]]
) -> tuple[Policies, tuple[Finding, ...]]:
    """One policy for each target, with findings where a policy cannot be applied."""
    backends = list(backends)
    if all(policy is None for policy, _ in backends):
        return (), ()
    chosen, different = resolved.policy_by_target(backends)
    findings = [_one_policy(caller, target) for target in sorted(different)]
    policies = tuple(sorted((target, policy) for target, policy in chosen.items() if policy is not None))
    for target, policy in policies:
        if isinstance(found := origination(view, target, policy), Finding):
            findings.append(found)
    return policies, tuple(findings)


def _one_policy(caller: Key, target: Target) -> Finding:
    what = f"has backends with different client policies that lead to {target.node}, port {target.port}"
    return DIFFERENT_POLICIES.at(caller, what)
