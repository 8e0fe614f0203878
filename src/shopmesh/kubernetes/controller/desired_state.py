"""The resources that the objects of a cluster declare; converts an object again only when one of its inputs changed.

object ─convert─► DesiredResource …    recorded: the objects, kinds and namespaces that were read
       ─DocumentError─► a problem of that object; its earlier resources stay

When several objects declare one resource, the one is used whose namespace owns the name (`name_claims`), else the
oldest. All replicas come to the same result, whenever they started.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents import DeclaredResource, DocumentError, check
from shopmesh.documents.convert import resources_of_manifest
from shopmesh.documents.names import ObjectName
from shopmesh.documents.reference_resolver import KnownObject, ReferenceResolver
from shopmesh.kubernetes.api.client import Object, generation
from shopmesh.kubernetes.controller import name_claims, persisted_metadata
from shopmesh.kubernetes.controller.name_claims import Claims
from shopmesh.kubernetes.controller.object_cache import ObjectCache, WatchedInput
from shopmesh.kubernetes.controller.persisted_metadata import PersistedMetadata
from shopmesh.kubernetes.controller.unexpected_errors import UnexpectedErrors


@dataclass(frozen=True)
class DesiredResource:
    """A resource as an object declares it, with its metadata. Times as in `Resource`."""

    declared: DeclaredResource
    uid: str
    version: int
    created_at: float
    updated_at: float
    derived_from: Key | None = None
    canary: Document | None = None


class DesiredState:
    """The desired resources by key. `owners` maps keys to their objects; `problems` say why an object is not used."""

    def __init__(self, cluster: ObjectCache, errors: UnexpectedErrors) -> None:
        self.resources: dict[Key, DesiredResource] = {}
        self.owners: dict[Key, ObjectName] = {}
        self.problems: dict[ObjectName, str] = {}
        self.warnings: dict[ObjectName, str] = {}
        """Which parts of an object in use are ignored."""
        self.keys: dict[ObjectName, Key] = {}
        """The resource of each object; for a router the router, not its routes."""
        self._cluster = cluster
        self._errors = errors
        self._keys: dict[ObjectName, tuple[Key, ...]] = {}
        self._reads: dict[ObjectName, set[ObjectName | WatchedInput]] = {}
        self._readers_of: dict[ObjectName | WatchedInput, set[ObjectName]] = {}
        self._waiting: dict[Key, set[ObjectName]] = {}
        self._displaced: dict[ObjectName, None] = {}
        self._claims: dict[str, Claims] = {}
        """By the name of a Mesh object."""

    def update(self, dirty: Iterable[ObjectName | WatchedInput]) -> set[Key]:
        """Converts the objects that the changed inputs concern; returns the keys whose declaration may have changed."""
        again: dict[ObjectName, None] = {}
        for place in dirty:
            if isinstance(place, ObjectName):
                again[place] = None
            elif place.kind == "claims":
                again |= self._read_claims(place.name)
            again |= dict.fromkeys(self._readers_of.get(place, ()))
        changed: set[Key] = set()
        while again:
            keys = set().union(*(self._convert(name) for name in again))
            changed |= keys
            # Objects that waited for a key can declare it now; displaced objects get their problem.
            free = [key for key in keys if key not in self.owners]
            again = {name: None for key in free for name in self._waiting.pop(key, ())} | self._displaced
            self._displaced = {}
        return changed

    def _convert(self, name: ObjectName) -> set[Key]:
        before = self._keys.get(name, ())
        found = self._cluster.get(name)
        if found is None or found.source is None:
            self._record_reads(name, set())
            self.problems.pop(name, None)
            self.warnings.pop(name, None)
            self._declare(name, {})
            return set(before)
        tracking = _TrackingCatalogue(self._cluster, {name})
        try:
            metadata_kept, warning = _read_metadata(self._cluster.objects[name])
            declared = list(resources_of_manifest(found.source, ReferenceResolver(tracking, members_only=True)))
            made = _desired_resources(self._cluster.objects[name], declared, metadata_kept)
            self._require_free(name, made, tracking)
        except DocumentError as error:
            self.problems[name] = str(error)
            return set()
        except Exception as error:
            self.problems[name] = self._errors.report(name.in_words, error)
            return set()
        finally:
            self._record_reads(name, tracking.read)
        self.problems.pop(name, None)
        self.warnings.pop(name, None)
        if warning:
            self.warnings[name] = warning
        freed = self._displace(name, made)
        self._declare(name, made)
        return {*before, *made, *freed}

    def _declare(self, name: ObjectName, made: Mapping[Key, DesiredResource]) -> None:
        for key in self._keys.pop(name, ()):
            del self.resources[key], self.owners[key]
        self.keys.pop(name, None)
        self.resources |= made
        self.owners |= dict.fromkeys(made, name)
        if made:
            self._keys[name] = tuple(made)
            self.keys[name] = self._keys[name][0]

    def _read_claims(self, mesh: str) -> dict[ObjectName, None]:
        """Reads the claims of a Mesh; returns the objects that declare, or wait for, a name whose owner changed."""
        before = self._claims.pop(mesh, {})
        if (found := self._cluster.objects.get(ObjectName("Mesh", "", mesh))) is not None:
            self._claims[mesh] = name_claims.read(found)
        now = self._claims.get(mesh, {})
        concerned = {key: [owner] for key, owner in self.owners.items()}
        for key, waiting in self._waiting.items():
            concerned.setdefault(key, []).extend(waiting)
        return {
            name: None
            for key, names in concerned.items()
            if before.get(claim := name_claims.claim_of(key)) != now.get(claim)
            for name in names
            if len(names) > 1 or now.get(claim) not in (None, name.namespace)
        }

    def _claim(self, key: Key) -> str | None:
        """Returns the namespace that owns that name; a claim ends with its namespace."""
        meshes = [name for name, one in self._cluster.of_kind("Mesh").items() if one.api_name == key.mesh]
        if not meshes or not name_claims.is_claimable(key):
            return None
        namespace = self._claims.get(min(meshes, key=self._age).name, {}).get(name_claims.claim_of(key))
        return namespace if namespace in self._cluster.namespaces else None

    def _require_free(self, name: ObjectName, made: Iterable[Key], tracking: _TrackingCatalogue) -> None:
        for key in made:
            claim, owner = self._claim(key), self.owners.get(key)
            if claim is not None and claim != name.namespace:
                tracking.read.add(WatchedInput("namespace", claim))
                self._waiting.setdefault(key, set()).add(name)
                raise DocumentError(_name_claimed_message(key, claim, name.namespace))
            theirs = owner is not None and claim is not None and owner.namespace != claim
            if owner is not None and owner != name and not theirs and self._age(owner) < self._age(name):
                self._waiting.setdefault(key, set()).add(name)
                raise DocumentError(f"{owner.in_words} already declares {key.name}; give this one another awsName")

    def _displace(self, name: ObjectName, made: Iterable[Key]) -> set[Key]:
        """Removes all resources of younger objects, which are converted again and get a problem."""
        freed: set[Key] = set()
        for owner in {self.owners[key] for key in made if key in self.owners} - {name}:
            freed |= {*self._keys[owner]}
            for key in self._keys[owner]:
                # The problems of the objects that wait for it name its owner.
                self._displaced |= dict.fromkeys(self._waiting.pop(key, ()))
            self._declare(owner, {})
            self._displaced[owner] = None
        return freed

    def _age(self, name: ObjectName) -> tuple[str, ObjectName]:
        # Timestamps are RFC 3339 in UTC, to the second: of two of one second the name decides.
        found = self._cluster.objects.get(name) or {"metadata": {}}
        return str(found["metadata"].get("creationTimestamp") or ""), name

    def _record_reads(self, name: ObjectName, reads: set[ObjectName | WatchedInput]) -> None:
        for place in self._reads.pop(name, set()) - reads:
            self._readers_of[place].discard(name)
            if not self._readers_of[place]:
                del self._readers_of[place]
        if reads:
            self._reads[name] = reads
        for place in reads:
            self._readers_of.setdefault(place, set()).add(name)


def _name_claimed_message(key: Key, claim: str, namespace: str) -> str:
    transfer = f"{name_claims.TRANSFER}={name_claims.claim_of(key)}={namespace}"
    return (
        f"{describe(key)} belongs to namespace {claim}; give this one another awsName, or let the owner of the Mesh "
        f"transfer the name: kubectl annotate mesh {key.mesh} {transfer}"
    )


class _TrackingCatalogue:
    """A catalogue that records what is read."""

    def __init__(self, cluster: ObjectCache, read: set[ObjectName | WatchedInput]) -> None:
        self._cluster = cluster
        self.read = read

    def get(self, name: ObjectName) -> KnownObject | None:
        self.read.add(name)
        return self._cluster.get(name)

    def of_kind(self, kind: str) -> Mapping[ObjectName, KnownObject]:
        self.read.add(WatchedInput("kind", kind))
        return self._cluster.of_kind(kind)

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        self.read.add(WatchedInput("namespace", namespace))
        return self._cluster.labels(namespace)


def _read_metadata(found: Object) -> tuple[PersistedMetadata, str]:
    """Returns the persisted metadata of an object, or none and a warning when its annotation is invalid."""
    try:
        return persisted_metadata.read(found), ""
    except persisted_metadata.PersistedMetadataError as error:
        return (
            persisted_metadata.EMPTY,
            f"annotation {persisted_metadata.ANNOTATION} is ignored: {error}; remove the annotation",
        )


def _desired_resources(
    found: Object, declared: list[DeclaredResource], metadata_kept: PersistedMetadata
) -> dict[Key, DesiredResource]:
    metadata = found["metadata"]
    uid = str(metadata.get("uid") or "")
    created = epoch_seconds(metadata.get("creationTimestamp"))
    updated = max([created, *map(epoch_seconds, _write_times(metadata))])
    made: dict[Key, DesiredResource] = {}
    for one in declared:
        if wrong := next(check.problems([one]), None):
            raise wrong
        route = one.key.kind == "route"
        its = metadata_kept.route(one.key.name) if route else metadata_kept
        derived = its.derived_from
        made[one.key] = DesiredResource(
            replace(one, tags={**its.tags, **one.tags}),
            str(uuid.uuid5(uuid.NAMESPACE_OID, f"{uid}/{one.key.name}")) if route else uid,
            its.version_of(one.spec, generation(found)),
            created,
            updated,
            None if derived is None else Key("virtualRouter", (one.key.mesh, derived)),
            its.canary,
        )
    return made


def _write_times(metadata: Document) -> list[str | None]:
    """Returns the times of the writes of an object, except those of its status."""
    return [one.get("time") for one in metadata.get("managedFields") or () if not one.get("subresource")]


def epoch_seconds(timestamp: str | None) -> float:
    """Converts a Kubernetes timestamp (RFC 3339, UTC) to seconds since 1970; 0.0 for none."""
    return datetime.datetime.fromisoformat(timestamp).timestamp() if timestamp else 0.0
