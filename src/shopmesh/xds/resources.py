"""Envoy's resources as they go over the wire: serialised once, versioned by their content, shared by all streams."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from envoy.service.discovery.v3.discovery_pb2 import Resource as DiscoveryResource
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

TypeName = Literal["clusters", "endpoints", "secrets", "listeners", "routes"]

TYPES: tuple[TypeName, ...] = ("clusters", "endpoints", "secrets", "listeners", "routes")
"""In the order in which they are sent: nothing may be sent before what it refers to.

https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol#eventual-consistency-considerations
"""

TYPE_URLS: Mapping[TypeName, str] = {
    "clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "secrets": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
    "listeners": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "routes": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}
NAMES_OF_URLS: Mapping[str, TypeName] = {url: name for name, url in TYPE_URLS.items()}

_MAX_DIFFS = 8
_LENGTH_DELIMITED = 2
"""The wire type of messages, strings and bytes."""


def pack_any(message: Message) -> AnyMessage:
    """Packs a message into an `Any`, deterministically."""
    wrapped = AnyMessage()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def digest(parts: Iterable[bytes]) -> str:
    """The version of a content: 64 bits of its SHA-256, in hexadecimal."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class XdsResource:
    """One resource, ready to be sent.

    `encoded` is a `DeltaDiscoveryResponse` with this resource alone: concatenated protobuf messages are merged, so a
    response is a join of such pieces (https://protobuf.dev/programming-guides/encoding/#last-one-wins). `needs` are the
    clusters that its body names, `secrets` the secrets; they follow from the body, so they are not compared. `variant`
    has the same meaning in other bytes, for a client that ignores a resource equal to one that it failed to load.
    """

    name: str
    version: str
    encoded: bytes = field(compare=False, repr=False)
    needs: frozenset[str] = field(compare=False, repr=False, default=frozenset())
    secrets: tuple[XdsResource, ...] = field(compare=False, repr=False, default=())
    variant: XdsResource | None = field(compare=False, repr=False, default=None)


def resource(
    kind: TypeName,
    name: str,
    body: bytes,
    needs: frozenset[str] = frozenset(),
    secrets: tuple[XdsResource, ...] = (),
    variant: XdsResource | None = None,
) -> XdsResource:
    """The resource of a serialised message; its version is the digest of `body`."""
    return joined_resource(kind, name, (body,), needs, secrets, variant)


def joined_resource(
    kind: TypeName,
    name: str,
    parts: Sequence[bytes],
    needs: frozenset[str] = frozenset(),
    secrets: tuple[XdsResource, ...] = (),
    variant: XdsResource | None = None,
) -> XdsResource:
    """The same, of a message that is the join of `parts`; each is copied once, for a table has many and is large."""
    version = digest(parts)
    return XdsResource(name, version, _encode(TYPE_URLS[kind], name, version, parts), needs, secrets, variant)


def _encode(type_url: str, name: str, version: str, parts: Sequence[bytes]) -> bytes:
    """A `DeltaDiscoveryResponse` with one resource."""
    size = sum(map(len, parts))
    packed = serialise(AnyMessage(type_url=type_url)) + _field_head(AnyMessage.VALUE_FIELD_NUMBER, size)
    size += len(packed)
    named = serialise(DiscoveryResource(name=name, version=version))
    named += _field_head(DiscoveryResource.RESOURCE_FIELD_NUMBER, size)
    size += len(named)
    return b"".join((_field_head(DeltaDiscoveryResponse.RESOURCES_FIELD_NUMBER, size), named, packed, *parts))


def _field_head(number: int, length: int) -> bytes:
    """What precedes that many bytes of a field (https://protobuf.dev/programming-guides/encoding/#structure)."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(length)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def serialise(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class Diff:
    """From what a client has to a collection: resources new or changed, and names that are gone."""

    changed: tuple[XdsResource, ...]
    removed: tuple[str, ...]


class Collection:
    """All resources of one type in one snapshot; immutable."""

    __slots__ = ("_diffs", "kind", "resources", "version", "versions")

    def __init__(self, kind: TypeName, resources: Iterable[XdsResource]) -> None:
        self.kind = kind
        self.resources: Mapping[str, XdsResource] = {
            one.name: one for one in sorted(resources, key=lambda one: one.name)
        }
        self.versions: Mapping[str, str] = {name: one.version for name, one in self.resources.items()}
        self.version = digest(f"{name}\0{version}\0".encode() for name, version in self.versions.items())
        self._diffs: dict[int, tuple[Mapping[str, str], Diff]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and self.kind == other.kind and self.version == other.version

    def __hash__(self) -> int:
        return hash((self.kind, self.version))

    def diff_from(self, known: Mapping[str, str]) -> Diff:
        """The difference from `known` (names and versions), cached for the mappings that were used last.

        The cache looks up by identity: streams in the same position share one mapping. It keeps the mapping alive, so
        that no other gets its id.
        """
        found = self._diffs.get(id(known))
        if found is not None:
            return found[1]
        changed = tuple(one for one in self.resources.values() if known.get(one.name) != one.version)
        removed = tuple(sorted(name for name in known if name not in self.resources))
        diff = Diff(changed, removed)
        if len(self._diffs) >= _MAX_DIFFS:
            del self._diffs[next(iter(self._diffs))]
        self._diffs[id(known)] = (known, diff)
        return diff
