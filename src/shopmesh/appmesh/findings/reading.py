"""What documents mean: defaults written out, references followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.rules.candidate import milliseconds
from shopmesh.appmesh.store import Document, Key, Resource, View

_BEST: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "httpRoute": ("http", "http2", "grpc"),
        "http2Route": ("http2", "grpc", "http"),
        "grpcRoute": ("grpc", "http2", "http"),
        "tcpRoute": ("tcp",),
    }
)
"""The protocols of listeners that a route of some kind may lead to, the best first."""

DEFAULT_TIMEOUT_MS = 15_000
"""Of a request, at a route and at a listener, where none is written (feature 19)."""


class Listener(NamedTuple):
    """One of a virtual node; `timeout` in milliseconds, 0 where it is switched off."""

    port: int
    protocol: str
    timeout: int


class Leg(NamedTuple):
    """One weighted target of a route. `node` is None where its virtual node is not there.

    `listener` takes the requests (see `xds.weights.leads_to`): that of the target's port; without one that of the
    router's port, else the best by protocol; None where there is none that will do.
    """

    name: str
    weight: int
    port: int | None
    node: Resource | None
    listener: Listener | None


class Way(NamedTuple):
    """A route of a router: `body` is what its `kind` holds, `port` that at which its requests come in, if known."""

    key: Key
    kind: str
    body: Document
    port: int | None
    legs: tuple[Leg, ...]


def ports(resource: Resource) -> dict[int, str]:
    """The listeners of a node, a router or a gateway: port to protocol."""
    mappings = [listener["portMapping"] for listener in resource.spec.get("listeners") or ()]
    return {mapping["port"]: mapping["protocol"] for mapping in mappings}


def listeners(node: Resource) -> list[Listener]:
    """Those of a virtual node, in the order in which they are written."""
    found = []
    for document in node.spec.get("listeners") or ():
        protocol = document["portMapping"]["protocol"]
        found.append(Listener(document["portMapping"]["port"], protocol, timeout(document, protocol)))
    return found


def timeout(document: Document, protocol: str = "") -> int:
    """What a route, or a listener for its protocol, allows one request: milliseconds, 0 for any length."""
    written = document.get("timeout") or {}
    found = milliseconds(((written.get(protocol) or {}) if protocol else written).get("perRequest"))
    return DEFAULT_TIMEOUT_MS if found is None else found


def kind_of(route: Resource) -> str:
    """`httpRoute`, `http2Route`, `grpcRoute` or `tcpRoute`."""
    return next(kind for kind in ROUTE_KINDS if kind in route.spec)


def way(view: View, route: Resource) -> Way:
    """Where a route of a router leads."""
    kind = kind_of(route)
    router = view.get(Key("virtualRouter", route.key.parent))
    fitting = [port for port, protocol in ports(router).items() if protocol in _BEST[kind]] if router else []
    wished = (route.spec[kind].get("match") or {}).get("port") or next(iter(fitting), None)
    found = []
    for target in route.spec[kind]["action"]["weightedTargets"]:
        node = view.get(Key("virtualNode", (route.key.mesh, target["virtualNode"])))
        taking = listener_of(usable(node, kind), kind, target.get("port"), wished) if node else None
        found.append(Leg(target["virtualNode"], target["weight"], target.get("port"), node, taking))
    return Way(route.key, kind, route.spec[kind], wished, tuple(found))


def usable(node: Resource, kind: str) -> list[Listener]:
    """The listeners of a virtual node to which a route of that kind may lead."""
    return [one for one in listeners(node) if one.protocol in _BEST[kind]]


def listener_of(found: Sequence[Listener], kind: str, port: int | None, wished: int | None) -> Listener | None:
    """That of `port`; without one, that of the `wished` port where there is one, else the best by protocol."""
    fitting = [one for one in found if port in (None, one.port)]
    return min(fitting, key=lambda one: (one.port != wished, _BEST[kind].index(one.protocol)), default=None)


def backends(node: Resource) -> Iterator[Document]:
    """The virtual services that a node may call, each with its client policy."""
    for backend in node.spec.get("backends") or ():
        if "virtualService" in backend:
            yield backend["virtualService"]


def provider(view: View, service: Resource) -> Resource | None:
    """The router or node behind a virtual service; None where it has none, or where that is not there."""
    for kind, named in (service.spec.get("provider") or {}).items():
        return view.get(Key(kind, (service.key.mesh, named[f"{kind}Name"])))
    return None
