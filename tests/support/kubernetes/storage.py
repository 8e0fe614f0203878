"""The objects of a cluster and what happened to them, in the order of one counter: the resourceVersion of all."""

from __future__ import annotations

import copy
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from shopmesh.kubernetes.api.resource_types import NAMESPACES, ResourceType
from tests.support.kubernetes import answers
from tests.support.kubernetes.judging import judged
from tests.support.kubernetes.kinds import Kind, kind_at
from tests.support.kubernetes.selecting import Selects

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace, which is empty for what has none, and name."""

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
FIRST = 1000


class Happening(NamedTuple):
    """One write: the object before and after it, None where there was or is none."""

    revision: int
    kind: ResourceType
    before: Object | None
    after: Object | None
    last: Object
    """As watches tell it, with the resourceVersion of this write."""

    def seen(self, selects: Selects) -> tuple[str, Object] | None:
        """The event that a watch with a selector tells, if any."""
        was = self.before is not None and selects(self.before)
        is_ = self.after is not None and selects(self.after)
        if is_:
            return ("MODIFIED" if was else "ADDED"), self.last
        return ("DELETED", self.last) if was else None


class Writing(NamedTuple):
    """How a write is asked for."""

    dry: bool = False
    strict: bool = False
    manager: str = "test"


PLAIN = Writing()


class Storage:
    """May be used from any thread. `wake` is called after each write."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        self.revision = FIRST
        self.oldest = FIRST
        """What happened before that is forgotten."""
        self.history: list[Happening] = []
        self.objects: dict[ResourceType, dict[Key, Object]] = {}
        self._wake = wake
        for name in ("default", "kube-system"):
            self.create(kind_at(NAMESPACES), {"metadata": {"name": name}})

    # reading

    def get(self, kind: ResourceType, key: Key) -> Object:
        with self.lock:
            found = self.objects.get(kind, {}).get(key)
            if found is None:
                raise answers.not_found(kind, key[1])
            return copy.deepcopy(found)

    def all(self, kind: ResourceType, namespace: str | None, selects: Selects) -> tuple[int, list[Object]]:
        """In the order of their keys, as etcd has them."""
        with self.lock:
            found = sorted(self.objects.get(kind, {}).items())
            return self.revision, [
                copy.deepcopy(one) for key, one in found if namespace in {None, key[0]} and selects(one)
            ]

    def after(self, kind: ResourceType, revision: int) -> list[Happening]:
        """What happened since; a refusal when some of it is forgotten."""
        with self.lock:
            if revision < self.oldest:
                raise answers.too_old(revision, self.oldest)
            newer = []
            for one in reversed(self.history):
                if one.revision <= revision:
                    break
                if one.kind == kind:
                    newer.append(one)
            return newer[::-1]

    # writing

    def create(self, kind: Kind, body: Object, how: Writing = PLAIN) -> Object:
        with self.lock:
            found = copy.deepcopy(body)
            found = {"apiVersion": kind.type.api_version, "kind": kind.type.kind, **found}
            metadata = found.setdefault("metadata", {})
            if not metadata.get("name") and (prefix := metadata.get("generateName")):
                metadata["name"] = prefix + secrets.token_hex(3)[:5]
            key = self._key(kind.type, metadata)
            if metadata.get("resourceVersion"):
                raise answers.bad_request("resourceVersion should not be set on objects to be created")
            if key in self.objects.get(kind.type, {}):
                raise answers.already_exists(kind.type, key[1])
            if kind.status:
                found.pop("status", None)
            if kind.type == NAMESPACES:
                metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = key[1]
                found["status"] = {"phase": "Active"}
            found = self._judged(kind, found, None, how)
            metadata = found["metadata"]
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now()}
            metadata.pop("deletionTimestamp", None)
            if kind.counts:
                metadata["generation"] = 1
            _managed(found, how.manager)
            return self._write(kind.type, key, None, found, how)

    def update(
        self,
        kind: Kind,
        key: Key,
        change: Callable[[Object], Object],
        how: Writing = PLAIN,
        subresource: str | None = None,
        patching: bool = False,
    ) -> Object:
        """Replaces an object with what `change` makes of the one that is there."""
        with self.lock:
            before = self.get(kind.type, key)
            found = copy.deepcopy(change(copy.deepcopy(before)))
            self._admit(kind, key, before, found, patching)
            metadata = found["metadata"]
            if subresource == "status":
                found = {**before, "metadata": copy.deepcopy(before["metadata"])} | (
                    {"status": found["status"]} if "status" in found else {}
                )
                metadata = found["metadata"]
            elif kind.status:
                found = {key: value for key, value in found.items() if key != "status"} | (
                    {"status": before["status"]} if "status" in before else {}
                )
            for fixed in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion"):
                metadata.pop(fixed, None)
                if fixed in before["metadata"]:
                    metadata[fixed] = before["metadata"][fixed]
            metadata["managedFields"] = before["metadata"]["managedFields"]
            found = self._judged(kind, found, before, how)
            if found == before:
                return before
            if kind.counts and _wanted(found) != _wanted(before):
                found["metadata"]["generation"] += 1
            _managed(found, how.manager, subresource)
            if "deletionTimestamp" in found["metadata"] and not found["metadata"].get("finalizers"):
                return self._write(kind.type, key, before, None, how)
            return self._write(kind.type, key, before, found, how)

    def delete(self, kind: Kind, key: Key, preconditions: Object | None = None, how: Writing = PLAIN) -> Object:
        with self.lock:
            before = self.get(kind.type, key)
            metadata = before["metadata"]
            for wanted, field, word in (
                ((preconditions or {}).get("uid"), "uid", "UID"),
                ((preconditions or {}).get("resourceVersion"), "resourceVersion", "ResourceVersion"),
            ):
                if wanted and wanted != metadata[field]:
                    raise answers.another(kind.type, key[1], word, wanted, metadata[field])
            if not metadata.get("finalizers"):
                self._write(kind.type, key, before, None, how)
                return _done(kind.type, before)
            if "deletionTimestamp" in metadata:
                return before
            found = copy.deepcopy(before)
            found["metadata"] |= {"deletionTimestamp": _now(), "deletionGracePeriodSeconds": 0}
            if kind.counts:
                found["metadata"]["generation"] += 1
            return self._write(kind.type, key, before, found, how)

    def forget(self, bump: bool = True) -> None:
        """What happened until now can no longer be told; with `bump` nobody can have seen all of it."""
        with self.lock:
            self.revision += bump
            self.oldest = self.revision
            self.history.clear()
        self._wake()

    def _key(self, kind: ResourceType, metadata: Object) -> Key:
        name = metadata.get("name") or ""
        if not name:
            raise answers.invalid(kind, "", [("metadata.name", "Required value: name or generateName is required")])
        if not _NAME.match(name):
            why = f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric'
            raise answers.invalid(kind, name, [("metadata.name", why)])
        if not kind.namespaced:
            return "", name
        namespace = metadata.get("namespace") or ""
        if ("", namespace) not in self.objects.get(NAMESPACES, {}):
            raise answers.not_found(NAMESPACES, namespace)
        return namespace, name

    def _admit(self, kind: Kind, key: Key, before: Object, found: Object, patching: bool) -> None:
        metadata = found.setdefault("metadata", {})
        for field, index in (("name", 1), ("namespace", 0)):
            if (given := metadata.setdefault(field, key[index])) != key[index]:
                raise answers.bad_request(
                    f"the {field} of the object ({given}) does not match the {field} on the URL ({key[index]})"
                )
        if not key[0]:
            del metadata["namespace"]
        version, current = metadata.get("resourceVersion"), before["metadata"]["resourceVersion"]
        if version and version != current:
            raise answers.changed_meanwhile(kind.type, key[1])
        if not version and not patching and not kind.unconditional:
            why = "Invalid value: 0x0: must be specified for an update"
            raise answers.invalid(kind.type, key[1], [("metadata.resourceVersion", why)])
        if (uid := metadata.get("uid")) and uid != before["metadata"]["uid"]:
            raise answers.not_the_same(kind.type, key[1], uid, before["metadata"]["uid"])

    def _judged(self, kind: Kind, found: Object, before: Object | None, how: Writing) -> Object:
        return judged(kind.type, found, before, how.strict) if kind.defined else found

    def _write(self, kind: ResourceType, key: Key, before: Object | None, after: Object | None, how: Writing) -> Object:
        last = copy.deepcopy(after if after is not None else before)
        assert last is not None
        if how.dry:
            return last
        self.revision += 1
        last["metadata"]["resourceVersion"] = str(self.revision)
        if after is None:
            del self.objects[kind][key]
        else:
            self.objects.setdefault(kind, {})[key] = last
            after = last
        self.history.append(Happening(self.revision, kind, before, after, last))
        self._wake()
        return copy.deepcopy(last)


def _wanted(found: Object) -> Object:
    """What a generation counts: everything that is not metadata or status."""
    return {key: value for key, value in found.items() if key not in {"metadata", "status"}}


def _managed(found: Object, manager: str, subresource: str | None = None) -> None:
    """https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management, without the fields' depth."""
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": found["apiVersion"],
        "time": _now(),
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:{key}": {} for key in _wanted(found) if key not in {"apiVersion", "kind"}},
        **({"subresource": subresource} if subresource else {}),
    }
    others: Iterable[Object] = found["metadata"].get("managedFields") or ()
    kept = [one for one in others if (one["manager"], one.get("subresource")) != (manager, subresource)]
    found["metadata"]["managedFields"] = [*kept, entry]


def _done(kind: ResourceType, deleted: Object) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": deleted["metadata"]["name"],
            **({"group": kind.group} if kind.group else {}),
            "kind": kind.plural,
            "uid": deleted["metadata"]["uid"],
        },
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
