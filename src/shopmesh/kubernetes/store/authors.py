"""Who wrote an object last: the API server records it as a field manager.

What this control plane writes for a client has the manager `shopmesh:DOOR:NAME`, such as `shopmesh:api:shopmesh-local`,
so that every replica sees for whom it was, and `kubectl get -o yaml --show-managed-fields` shows it too.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shopmesh.appmesh.store import Change
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.desired_state import DesiredState
from shopmesh.kubernetes.controller.object_cache import ObjectCache, WatchedInput
from shopmesh.kubernetes.controller.object_writer import Write
from shopmesh.server.store.author import LONGEST_NAME, UNKNOWN, Author, joint_author, parse_author

OBJECTS = Author(None, "kubernetes")
"""The author of a change whose object names none, or no longer exists."""
ENDPOINTS = Author(None, "proxy")
"""The author of a change of nothing but endpoints, which follow the pods."""
START = Author(None, "start")
"""The author of the first mesh of a cluster."""
_PREFIX = "shopmesh"


def field_manager(author: Author) -> str | None:
    """The field manager of a write for `author`; None leaves it to the API server, which then names the program."""
    if author == UNKNOWN:
        return None
    text = ":".join(filter(None, (_PREFIX, author.door, author.name)))
    return "".join(one if one.isprintable() else "?" for one in text)[:LONGEST_NAME]


def last_author(found: Mapping[str, Any]) -> Author:
    """The author of the last write of an object other than of its status."""
    listed = found["metadata"].get("managedFields")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    entries = [one for one in entries if not one.get("subresource")]
    if not entries:
        return OBJECTS
    # Times are whole seconds: of several writes within one, the last in the list counts.
    newest = max(enumerate(entries), key=lambda one: (str(one[1].get("time") or ""), one[0]))[1]
    manager = str(newest.get("manager") or "")
    prefix, _, rest = manager.partition(":")
    door, _, name = rest.partition(":")
    if prefix == _PREFIX and rest:
        return parse_author(name or None, door)
    return parse_author(manager or None, "kubernetes")


class ChangeAuthors:
    """The authors of changes, as the objects that caused them name them."""

    def __init__(self, cache: ObjectCache, desired: DesiredState) -> None:
        self._cache = cache
        self._desired = desired
        self._deleters: dict[ObjectName, Author] = {}

    @contextlib.contextmanager
    def deleting(self, writes: Iterable[Write], author: Author) -> Iterator[None]:
        """Remembers inside a `with` block for whom objects are deleted: afterwards they have no field managers."""
        names = [one.name for one in writes if one.verb == "delete"]
        self._deleters.update(dict.fromkeys(names, author))
        try:
            yield
        finally:
            for name in names:
                self._deleters.pop(name, None)

    def author_of(self, changes: Iterable[Change], dirty: Iterable[ObjectName | WatchedInput]) -> Author:
        """The author of the changes that these inputs caused: the last one of each object, if there are several."""
        objects = self._cache.objects
        owners = {self._desired.owners.get(one.key) for one in changes}
        names = [one for one in dirty if isinstance(one, ObjectName)]
        deleters = {one: self._deleters.get(one, OBJECTS) for one in names if one not in objects}
        writers = [last_author(objects[one]) for one in names if one in owners - deleters.keys()]
        if all(one.key.kind == "instance" for one in changes):
            return ENDPOINTS
        return joint_author([*writers, *deleters.values()] or [OBJECTS])
