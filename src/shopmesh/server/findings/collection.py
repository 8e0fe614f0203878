"""All findings of a control plane, kept as long as they hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from types import MappingProxyType

from shopmesh.appmesh import findings as documents
from shopmesh.appmesh.findings import Finding, Mistake, shadowing, targets
from shopmesh.appmesh.kinds import children_of
from shopmesh.appmesh.store import Key, View
from shopmesh.server.findings import certificates, proxies, traffic
from shopmesh.server.proxies import ProxyStatus
from shopmesh.server.store import Commit
from shopmesh.xds.dependencies import Parts, Reader
from shopmesh.xds.limitations import Limitation

LIMITATION = Mistake(
    "SM207",
    "warning",
    "A document cannot be given to the proxies as it is written",
    "what is left out, and what comes of it, is said by the finding itself",
    "as the finding says",
)

_EXPLAINING = frozenset(one.code for one in (targets.NO_LISTENER, targets.WEIGHT_NOWHERE, shadowing.SHADOWED))
"""Mistakes of routes that the translation comes upon as well: they are told once."""


LookAtProxies = Callable[[Collection[ProxyStatus]], Iterable[Finding]]
"""Finds what is wrong beside these, by the proxies of all replicas."""


def nothing_more(_: Collection[ProxyStatus]) -> Iterable[Finding]:
    return ()


class Findings:
    """Those of the documents are remembered, those of proxies are looked for whenever somebody asks."""

    def __init__(self, view: View) -> None:
        self._parts = Parts(view)

    def committed(self, commit: Commit) -> None:
        """Takes note of what changed; nothing is looked at before somebody asks."""
        self._parts.changed([change.key for change in commit.changes])
        self._parts.collect()

    def of(
        self,
        statuses: Collection[ProxyStatus],
        limitations: Iterable[Limitation] = (),
        certificate_days: certificates.Days = MappingProxyType({}),
    ) -> list[Finding]:
        """All of them, with what these proxies show: errors first, then by place."""
        in_documents = self._parts.root(_everywhere)
        explained = {one.where for one in in_documents if one.code in _EXPLAINING}
        found = [
            *in_documents,
            *proxies.look(statuses),
            *certificates.look(statuses, certificate_days),
            *traffic.look(self._parts.root(traffic.weighted_everywhere), statuses),
            *(_limitation(one) for one in limitations if one.where not in explained),
        ]
        return sorted(found, key=lambda finding: finding.order)


def _everywhere(reader: Reader) -> tuple[Finding, ...]:
    """A part: the mistakes in the documents of all meshes."""
    return tuple(one for mesh in reader.children("mesh", ()) for one in reader.part(_below, mesh.key))


def _below(reader: Reader, key: Key) -> tuple[Finding, ...]:
    """A part: the mistakes in one document, and in those below it."""
    resource = reader.get(key)
    if resource is None:
        return ()
    own = (*documents.of_resource(reader, resource), *traffic.of_node(reader, resource))
    return own + tuple(
        one
        for kind in children_of(key.kind)
        for child in reader.children(kind.name, key.path)
        for one in reader.part(_below, child.key)
    )


def _limitation(one: Limitation) -> Finding:
    """Its place is a kind and a path, of which the first name is the mesh, or the name of a virtual service alone."""
    _, _, path = one.where.rpartition(" ")
    mesh, slash, _ = path.partition("/")
    return Finding(LIMITATION.code, LIMITATION.severity, mesh if slash else "", one.where, one.what, one.why, one.fix)
