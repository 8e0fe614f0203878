"""Time in App Mesh's documents and in Envoy's messages."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from shopmesh.appmesh.store import Document

_MILLISECONDS = {"ms": 1, "s": 1000}
REQUEST_TIMEOUT_MS = 15_000


def milliseconds(count: int) -> Duration:
    return Duration(seconds=count // 1000, nanos=count % 1000 * 1_000_000)


def length_ms(document: Document) -> int:
    """Of `{"value": 300, "unit": "ms"}`."""
    length: int = document["value"] * _MILLISECONDS[document["unit"]]
    return length


def duration(document: Document) -> Duration:
    """The same as Envoy's."""
    return milliseconds(length_ms(document))


def per_request(timeouts: Document | None) -> Duration:
    """App Mesh's 15 s, at both ends, where none is written; 0 switches it off (feature 19)."""
    found = (timeouts or {}).get("perRequest")
    return milliseconds(REQUEST_TIMEOUT_MS) if found is None else duration(found)


def idle_ms(timeouts: Document | None) -> int | None:
    """Of a TCP route or listener; None where none is written."""
    found = (timeouts or {}).get("idle")
    return None if found is None else length_ms(found)


def idle(timeouts: Document | None) -> Duration | None:
    """None where none is written: Envoy's own 300 s then hold, which were App Mesh's too."""
    found = (timeouts or {}).get("idle")
    return None if found is None else duration(found)
