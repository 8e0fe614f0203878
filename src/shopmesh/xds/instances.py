"""The addresses at which proxies said they can be reached, kept in the store.

A proxy declares itself once it has taken its listeners, and whoever started it withdraws it; a lost stream never does.
The last instance of a virtual node is not deleted when it is withdrawn but kept without an address, so that a node
once found by its instances goes on to be (an empty cluster, not a DNS name that may lead anywhere).
"""

from __future__ import annotations

from typing import Any

from shopmesh.appmesh.store import Document, Key, Resource, Transaction
from shopmesh.xds.node import Identity, ProxyNode


def instance_spec(node: ProxyNode) -> Document | None:
    """What the store keeps of that proxy; None when it does not say where it is."""
    if node.address is None:
        return None
    document: dict[str, Any] = {"address": node.address, "ports": {str(port): there for port, there in node.ports}}
    if node.attributes:
        document["attributes"] = dict(node.attributes)
    return document


def declare(transaction: Transaction, identity: Identity, spec: Document, now: float) -> bool:
    """Writes where a proxy is; False, and nothing written, when the store knows it so already."""
    before = transaction.get(identity.key)
    if before is not None and before.spec == spec:
        return False
    transaction.put(
        Resource(
            key=identity.key,
            spec=spec,
            uid=before.uid if before else "/".join(identity),
            version=before.version + 1 if before else 1,
            created_at=before.created_at if before else now,
            updated_at=now,
        )
    )
    return True


def withdraw(transaction: Transaction, identity: Identity, now: float) -> bool:
    """Takes a proxy's address back; False when none was declared."""
    before = transaction.get(identity.key)
    if before is None or "address" not in before.spec:
        return False
    if len(transaction.children("instance", identity.key.parent)) > 1:
        transaction.delete(identity.key)
    else:
        declare(transaction, identity, {}, now)
    return True


def is_withdrawn(resource: Resource) -> bool:
    return "address" not in resource.spec


def identity_of_key(key: Key) -> Identity:
    mesh, kind, name, instance = key.path
    return Identity(mesh, kind, name, instance)
