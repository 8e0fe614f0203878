"""The instances of virtual nodes, as the endpoints of their Services give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shopmesh.appmesh.store import Key, Transaction
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller import endpoints
from shopmesh.kubernetes.controller.desired_state import DesiredState
from shopmesh.kubernetes.controller.object_cache import ObjectCache, WatchedInput
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors
from shopmesh.xds.instances import declare
from shopmesh.xds.node import Identity


class NodeInstances:
    """Knows which virtual nodes a changed Service concerns."""

    def __init__(self, cache: ObjectCache, desired: DesiredState, errors: UnexpectedErrors) -> None:
        self.problems: dict[ObjectName, str] = {}
        """Why the endpoints of a virtual node are outdated."""
        self._cache = cache
        self._desired = desired
        self._errors = errors
        self._nodes_by_input: dict[WatchedInput, set[ObjectName]] = {}
        self._input_of: dict[ObjectName, tuple[WatchedInput, Key]] = {}

    def update(
        self, dirty: Iterable[ObjectName | WatchedInput], keys: Iterable[Key], transaction: Transaction, now: float
    ) -> None:
        """Declares the instances of the nodes that these inputs and keys concern."""
        owners = self._desired.owners
        concerned = {owners[key]: None for key in keys if key.kind == "virtualNode" and key in owners}
        for changed in dirty:
            if isinstance(changed, ObjectName):
                if changed.kind == "VirtualNode":
                    concerned[changed] = None
            elif changed.kind == "service":
                namespace = changed.name.partition("/")[0]
                for source in (changed, WatchedInput("services", namespace)):
                    concerned |= dict.fromkeys(self._nodes_by_input.get(source, ()))
        for name in concerned:
            self.problems.pop(name, None)
            try:
                self._update_node(name, transaction, now)
            except Exception as error:
                self.problems[name] = f"its endpoints cannot be read: {self._errors.report(name.in_words, error)}"

    def _update_node(self, name: ObjectName, transaction: Transaction, now: float) -> None:
        key = self._desired.keys.get(name)
        node = self._cache.objects.get(name)
        if (before := self._input_of.pop(name, None)) is not None:
            self._nodes_by_input[before[0]].discard(name)
            if before[1] != key:
                _declare_all(before[1], {}, transaction, now)
        if key is None or node is None:
            return
        service = endpoints.service_name(node)
        source = (
            WatchedInput("services", name.namespace) if service is None else WatchedInput("service", "/".join(service))
        )
        self._nodes_by_input.setdefault(source, set()).add(name)
        self._input_of[name] = (source, key)
        _declare_all(key, endpoints.instances(node, self._cache) or {}, transaction, now)


def _declare_all(key: Key, instances: Mapping[str, Any], transaction: Transaction, now: float) -> None:
    """Makes these the only instances of a virtual node."""
    path = (key.mesh, "virtualNode", key.name)
    for one in transaction.children("instance", path):
        if one.key.name not in instances:
            transaction.delete(one.key)
    for instance, spec in instances.items():
        declare(transaction, Identity(*path, instance), spec, now)
