"""The seven kinds of App Mesh: all that the five verbs need to know about each.

    mesh ─┬─ virtualNode
          ├─ virtualRouter ── route ──► virtualNode
          ├─ virtualService ──► virtualNode | virtualRouter
          └─ virtualGateway ── gatewayRoute ──► virtualService

Lines are parents, arrows are references that must resolve. A backend of a virtual node is not a reference: it may name
a virtual service that is created later, as the tutorial's own order of calls does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from shopmesh.appmesh.document_types import WeightedTargetDocument
from shopmesh.appmesh.store import Document, Key


class Reference(NamedTuple):
    """A field of a document, and the resource that it names."""

    field: str
    key: Key


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` as ARNs spell it; `plural` as the list operations and their answers do, `List` + capitalised plural."""

    name: str
    plural: str
    parents: tuple[str, ...]
    references: Callable[[str, Document], Iterator[Reference]]

    @property
    def title(self) -> str:
        return self.name[0].upper() + self.name[1:]

    @property
    def plural_title(self) -> str:
        return self.plural[0].upper() + self.plural[1:]

    @property
    def lineage(self) -> tuple[str, ...]:
        """The kinds from the mesh down to this one; one name of a path each."""
        return (*self.parents, self.name)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that the operations' parameters have for the parts of a path."""
        return tuple(f"{kind}Name" for kind in self.lineage)


def _none(mesh: str, spec: Document) -> Iterator[Reference]:
    return iter(())


ROUTE_KINDS = ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")


def route_kind(spec: Document) -> str:
    """Which of `ROUTE_KINDS` the specification of a route or gateway route holds."""
    return next(kind for kind in ROUTE_KINDS if kind in spec)


def weighted_targets(spec: Document) -> list[WeightedTargetDocument]:
    """The weighted targets inside a route's specification, of whatever protocol; none for a gateway's route."""
    for kind in ROUTE_KINDS:
        if kind in spec:
            targets: list[WeightedTargetDocument] = spec[kind].get("action", {}).get("weightedTargets", [])
            return targets
    return []


def _route(mesh: str, spec: Document) -> Iterator[Reference]:
    for kind in ROUTE_KINDS:
        targets = spec.get(kind, {}).get("action", {}).get("weightedTargets", ())
        for index, target in enumerate(targets):
            field = f"spec.{kind}.action.weightedTargets[{index}].virtualNode"
            yield Reference(field, Key("virtualNode", (mesh, target["virtualNode"])))


def _virtual_service(mesh: str, spec: Document) -> Iterator[Reference]:
    for kind, provider in spec.get("provider", {}).items():
        name = provider[f"{kind}Name"]
        yield Reference(f"spec.provider.{kind}.{kind}Name", Key(kind, (mesh, name)))


def _gateway_route(mesh: str, spec: Document) -> Iterator[Reference]:
    for kind in ROUTE_KINDS:
        if kind in spec:
            field = f"spec.{kind}.action.target.virtualService.virtualServiceName"
            name = spec[kind]["action"]["target"]["virtualService"]["virtualServiceName"]
            yield Reference(field, Key("virtualService", (mesh, name)))


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("mesh", "meshes", (), _none),
            Kind("virtualNode", "virtualNodes", ("mesh",), _none),
            Kind("virtualRouter", "virtualRouters", ("mesh",), _none),
            Kind("route", "routes", ("mesh", "virtualRouter"), _route),
            Kind("virtualService", "virtualServices", ("mesh",), _virtual_service),
            Kind("virtualGateway", "virtualGateways", ("mesh",), _none),
            Kind("gatewayRoute", "gatewayRoutes", ("mesh", "virtualGateway"), _gateway_route),
        )
    }
)


REFERRERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "virtualNode": ("route", "virtualService"),
        "virtualRouter": ("virtualService",),
        "virtualService": ("gatewayRoute",),
    }
)
"""A kind → the kinds whose documents may refer to it; looking through all others would make deleting a large mesh take
as long as its resources squared."""


def children_of(kind: str) -> tuple[Kind, ...]:
    """The kinds whose resources live directly below one of this kind."""
    return tuple(other for other in KINDS.values() if other.parents and other.parents[-1] == kind)


def describe(key: Key) -> str:
    """A resource in a sentence: `virtual node product-vn`, `route product-vr/product-r`."""
    return f"{in_words(key.kind)} {'/'.join(key.path[1:]) or key.path[0]}"


def in_words(kind: str) -> str:
    """`virtualNode` as a sentence has it: `virtual node`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind)
