"""Where requests can be sent to: one port of one virtual node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shopmesh.appmesh.store import Document, Key, View
from shopmesh.xds import names

HTTP_PROTOCOLS = ("http", "http2", "grpc")
TCP_PROTOCOLS = ("tcp",)


class Target(NamedTuple):
    """One listener of a virtual node, seen from its callers: one egress cluster; another one for what is mirrored."""

    mesh: str
    node: str
    protocol: str
    port: int
    mirror: bool = False

    @property
    def cluster(self) -> str:
        name = names.cluster("egress", self.mesh, self.node, self.protocol, self.port)
        return names.mirror_cluster(name) if self.mirror else name

    @property
    def counted_as(self) -> str:
        """The cluster in the figures of its callers."""
        return names.counted_as(self.cluster)


def listeners(view: View, mesh: str, node: str) -> Sequence[Document]:
    """The listeners of a virtual node; none where there is no such node."""
    found = view.get(Key("virtualNode", (mesh, node)))
    return () if found is None else found.spec.get("listeners") or ()


def listener(view: View, mesh: str, node: str, port: int) -> Document:
    """The listener of that port; empty where there is none."""
    return next((one for one in listeners(view, mesh, node) if one["portMapping"]["port"] == port), {})


def target(
    view: View, mesh: str, node: str, port: int | None, wished: int | None, protocols: Sequence[str]
) -> Target | None:
    """The listener of that `port`; without one, that of the `wished` port, else the first of the best protocol.

    `protocols` are those that will do, the best first. None where the node has no such listener.
    """
    mappings = [
        mapping
        for listener in listeners(view, mesh, node)
        if (mapping := listener["portMapping"])["protocol"] in protocols and port in (None, mapping["port"])
    ]
    if not mappings:
        return None
    best = min(mappings, key=lambda one: (one["port"] != wished, protocols.index(one["protocol"])))
    return Target(mesh, node, best["protocol"], best["port"])
