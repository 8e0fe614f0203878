"""Listeners as documents declare them, and `Target`: one of them as callers see it. `route` chooses between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shopmesh.appmesh.document_types import ListenerDocument
from shopmesh.appmesh.resolved.timeouts import Timeouts, timeouts
from shopmesh.appmesh.store import Document, Key, View


class Specified(Protocol):
    """A stored resource, or one that documents declare."""

    @property
    def spec(self) -> Document: ...


class Listener(NamedTuple):
    """One listener; `document` is all that is written for it."""

    port: int
    protocol: str
    document: ListenerDocument

    @property
    def timeouts(self) -> Timeouts:
        return timeouts((self.document.get("timeout") or {}).get(self.protocol))


class Target(NamedTuple):
    """One listener of a virtual node as its callers see it: what Envoy has one cluster for.

    `mirror` is for copies of requests, which are counted apart.
    """

    mesh: str
    node: str
    protocol: str
    port: int
    mirror: bool = False

    @property
    def key(self) -> Key:
        """Of the virtual node."""
        return Key("virtualNode", (self.mesh, self.node))


def listeners(resource: Specified | None) -> tuple[Listener, ...]:
    """Of a virtual node, router or gateway, in the order of its document; none where it does not exist."""
    documents: Sequence[ListenerDocument] = (resource.spec.get("listeners") or ()) if resource else ()
    return tuple(
        Listener(mapping["port"], mapping["protocol"], one) for one in documents for mapping in (one["portMapping"],)
    )


def unvalidated_ports(spec: object) -> tuple[int, ...]:
    """The ports of the listeners of a specification that may have any content, such as an object of a cluster."""
    documents = spec.get("listeners") if isinstance(spec, Mapping) else None
    mappings = [
        one.get("portMapping") for one in (documents if isinstance(documents, list) else ()) if isinstance(one, Mapping)
    ]
    found = [mapping.get("port") for mapping in mappings if isinstance(mapping, Mapping)]
    return tuple(port for port in found if type(port) is int and 0 < port < 65536)


def ports(resource: Specified | None) -> dict[int, str]:
    """The listeners of a virtual node, router or gateway: port to protocol."""
    return {one.port: one.protocol for one in listeners(resource)}


def listener_of(view: View, target: Target) -> ListenerDocument | None:
    """What is written for a target's listener; None where there is none."""
    return next((one.document for one in listeners(view.get(target.key)) if one.port == target.port), None)


def offers_tls(document: ListenerDocument | None) -> bool:
    """Whether a listener takes connections with TLS; callers then use it, whatever their policies."""
    tls = document.get("tls") if document else None
    return tls is not None and tls["mode"] != "DISABLED"


def targets_of(view: View, mesh: str, node: str) -> tuple[Target, ...]:
    """Every listener of a virtual node: what a virtual service leads to that the node itself provides."""
    found = view.get(Key("virtualNode", (mesh, node)))
    return tuple(Target(mesh, node, one.protocol, one.port) for one in listeners(found))
