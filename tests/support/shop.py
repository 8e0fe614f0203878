"""The smallest mesh with a call, order to product, and options of its proxies' bootstraps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shopmesh.appmesh.store import Document, Resource
from shopmesh.xds.bootstrap import Options, environment
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000/"


def shop(order: Document | None = None, product: Document | None = None) -> list[Resource]:
    """`order` calls `product`; each has that `logging`."""
    return [
        meshes.mesh(),
        meshes.node("order", [], ["product.local"], logging=order or {}),
        meshes.node("product", logging=product or {}),
        meshes.service("product.local", node="product"),
    ]


def image_options(environ: Mapping[str, str], node: str) -> Options:
    """What App Mesh's Envoy image makes of these variables."""
    no_files: dict[str, dict[str, Any]] = {}
    return environment.options(environ, environment.ProxyOwner("shop", "virtualNode", node), no_files.__getitem__)
