"""Responses, each serialised once for all streams that are in the same position."""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import dataclass

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from shopmesh.xds.resources import XdsResource

Contents = tuple[str, str, tuple[XdsResource, ...], tuple[str, ...]]

_RESPONSES_KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """One `DeltaDiscoveryResponse` on the wire, and what is in it."""

    nonce: str
    data: bytes
    resources: tuple[XdsResource, ...]
    removed: tuple[str, ...]


class Responses:
    """Makes responses and numbers them.

    A nonce belongs to a content, not to a stream: the protocol only wants it to tell the responses of one stream and
    type apart, and so the bytes can be shared. What was made last is found again by the identity of its contents, which
    are kept alive here.
    """

    def __init__(self) -> None:
        self._made = 0
        self._kept: dict[tuple[str, str, int, int], Response] = {}

    def make(
        self,
        type_url: str,
        version: str,
        resources: tuple[XdsResource, ...],
        removed: tuple[str, ...],
        unlike: Names[str] = (),
    ) -> Response:
        """A response of that content, with a nonce that is not among `unlike` (those still to be acknowledged)."""
        key = (type_url, version, id(resources), id(removed))
        kept = self._kept.get(key)
        if kept is not None and kept.nonce not in unlike:
            return kept
        made = self._make(type_url, version, resources, removed)
        if kept is None and len(self._kept) >= _RESPONSES_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = made
        return made

    def _make(
        self, type_url: str, version: str, resources: tuple[XdsResource, ...], removed: tuple[str, ...]
    ) -> Response:
        self._made += 1
        nonce = f"{self._made:x}"
        head: bytes = DeltaDiscoveryResponse(
            system_version_info=version, type_url=type_url, nonce=nonce, removed_resources=removed
        ).SerializeToString()
        data = b"".join((head, *(one.encoded for one in resources)))
        return Response(nonce, data, resources, removed)
