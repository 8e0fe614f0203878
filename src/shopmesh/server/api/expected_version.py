"""The version that a request expects of its resource: protection against a concurrent write.

App Mesh's API lets the last writer win. A request in `/shopmesh/v1/requests` may say which version it was made from:
`"expect": {"version": 7, "uid": "…", "tags": {…}}`, version and uid as in the resource's `metadata`. Tags are in no
version of App Mesh's, so who changes them names them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from shopmesh.appmesh.api import verbs
from shopmesh.appmesh.api.model import Operation
from shopmesh.appmesh.api.rest_json import Parameters
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.errors import BadRequest, Conflict
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Key, View


class ExpectedVersion(NamedTuple):
    """A resource and its version; its uid differs once it was deleted and created again. None: any uid, any tags."""

    key: Key
    version: int
    uid: str | None
    tags: Mapping[str, str] | None


def read(expected: Any, operation: Operation, parameters: Parameters) -> ExpectedVersion:
    """Parses `expect` of a request; raises BadRequest, also for an operation whose resource has no earlier version."""
    if operation.kind is None or operation.verb not in ("Describe", "Update", "Delete"):
        raise BadRequest(f"expect: {operation.name} is not about a version of one resource; leave it out")
    match expected:
        case {"version": int(version), **rest} if not isinstance(version, bool) and not rest.keys() - {"uid", "tags"}:
            uid, tags = rest.get("uid"), rest.get("tags")
            if isinstance(uid, str | None) and (tags is None or _are_tags(tags)):
                return ExpectedVersion(verbs.key_of(operation.kind, parameters), version, uid, tags)
    raise BadRequest(
        'expect: send {"version": 7, "uid": "…"} of the resource\'s metadata, and all of its "tags" if they matter, '
        f"not {quote(expected)}"
    )


def _are_tags(value: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def require(expected: ExpectedVersion, before: View) -> None:
    """Raises Conflict where the resource has another version in `before`, NotFound where it does not exist."""
    found = verbs.find(expected.key, before)
    if expected.uid not in (None, found.uid):
        raise Conflict(f"expect: {describe(found.key)} was deleted and created again meanwhile; read it again")
    if expected.version != found.version:
        raise Conflict(
            f"expect: {describe(found.key)} has version {found.version}, not {expected.version}: another client "
            "changed it meanwhile; read it again"
        )
    if expected.tags is not None and expected.tags != dict(found.tags):
        raise Conflict(
            f"expect: {describe(found.key)} has other tags: another client changed them meanwhile; read it again"
        )
