"""Responses, each serialised once for all streams in the same position."""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import dataclass

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from shopmesh.xds.resources import XdsResource

_MAX_RESPONSES = 64


@dataclass(frozen=True, slots=True, eq=False)
class EncodedResponse:
    """One `DeltaDiscoveryResponse` on the wire, and what is in it; `version` is that of its collection."""

    nonce: str
    data: bytes
    resources: tuple[XdsResource, ...]
    removed: tuple[str, ...]
    version: str


class ResponseCache:
    """Makes responses with nonces, and keeps the last ones.

    A nonce belongs to a content, not to a stream: the protocol uses it to distinguish the responses of one stream and
    type, so streams can share the bytes. The cache finds a response by the identity of its resources, which it keeps
    alive: equal ones may differ in their bytes.
    """

    def __init__(self) -> None:
        self._count = 0
        self._cache: dict[tuple[str, str, tuple[int, ...], tuple[str, ...]], EncodedResponse] = {}

    def make(
        self,
        type_url: str,
        version: str,
        resources: tuple[XdsResource, ...],
        removed: tuple[str, ...],
        pending_nonces: Names[str] = (),
    ) -> EncodedResponse:
        """A response of that content, with a nonce that is not among those still to be acknowledged."""
        key = (type_url, version, tuple(map(id, resources)), removed)
        cached = self._cache.get(key)
        if cached is not None and cached.nonce not in pending_nonces:
            return cached
        response = self._make(type_url, version, resources, removed)
        if cached is None and len(self._cache) >= _MAX_RESPONSES:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = response
        return response

    def _make(
        self, type_url: str, version: str, resources: tuple[XdsResource, ...], removed: tuple[str, ...]
    ) -> EncodedResponse:
        self._count += 1
        nonce = f"{self._count:x}"
        head: bytes = DeltaDiscoveryResponse(
            system_version_info=version, type_url=type_url, nonce=nonce, removed_resources=removed
        ).SerializeToString()
        data = b"".join((head, *(one.encoded for one in resources)))
        return EncodedResponse(nonce, data, resources, removed, version)
