"""Where requests can be sent to: one port of one virtual node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shopmesh.appmesh.store import Document, Key
from shopmesh.xds import names
from shopmesh.xds.dependencies import Reader

HTTP_PROTOCOLS = ("http", "http2", "grpc")


class Target(NamedTuple):
    """One listener of a virtual node, seen from its callers: one egress cluster."""

    mesh: str
    node: str
    protocol: str
    port: int

    @property
    def cluster(self) -> str:
        return names.cluster("egress", *self)


def listeners(reader: Reader, mesh: str, node: str) -> Sequence[Document]:
    """The listeners of a virtual node; none where there is no such node."""
    found = reader.get(Key("virtualNode", (mesh, node)))
    return () if found is None else found.spec.get("listeners") or ()


def listener(reader: Reader, mesh: str, node: str, port: int) -> Document:
    """The listener of that port; empty where there is none."""
    return next((one for one in listeners(reader, mesh, node) if one["portMapping"]["port"] == port), {})


def target(reader: Reader, mesh: str, node: str, port: int | None, wished: int | None = None) -> Target | None:
    """The listener of that `port`; without one, that of the `wished` port where there is one, else the first.

    None where the node has no such listener.
    """
    mappings = [listener["portMapping"] for listener in listeners(reader, mesh, node)]
    if port is not None:
        mappings = [mapping for mapping in mappings if mapping["port"] == port]
    mappings.sort(key=lambda mapping: mapping["port"] != wished)
    if not mappings:
        return None
    return Target(mesh, node, mappings[0]["protocol"], mappings[0]["port"])
