"""Instances: the addresses that proxies declare, as resources of the store.

A proxy is declared when its listeners are open, and withdrawn by the program that started it; losing its stream does
not withdraw it. The last instance of a virtual node stays in the store without an address when it is withdrawn, so that
the node is still found by its instances: callers get an empty cluster, not a DNS name that may lead anywhere.
"""

from __future__ import annotations

from typing import Any

from shopmesh.appmesh.store import Document, Key, Resource, Transaction
from shopmesh.xds.node import Identity, ProxyNode


def instance_spec(node: ProxyNode) -> Document | None:
    """What the store holds of a proxy; None when the proxy declares no address."""
    if node.address is None:
        return None
    document: dict[str, Any] = {"address": node.address, "ports": {str(port): there for port, there in node.ports}}
    if node.attributes:
        document["attributes"] = dict(node.attributes)
    return document


def declare(transaction: Transaction, identity: Identity, spec: Document, now: float) -> bool:
    """Writes the address of a proxy; returns False when the store has it already."""
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
    """Removes the address of a proxy; returns False when it has none."""
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
