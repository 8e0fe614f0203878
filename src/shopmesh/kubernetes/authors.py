"""Who wrote an object last: the API server records it as a field manager.

What this control plane writes for a client has the manager `shopmesh:DOOR:NAME`, such as `shopmesh:api:shopmesh-local`,
so that every replica sees for whom it was, and `kubectl get -o yaml --show-managed-fields` shows it too.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shopmesh.server.store.author import LONGEST_NAME, UNKNOWN, Author, parse_author

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
