"""Durations of Envoy's messages."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration


def milliseconds(count: int) -> Duration:
    return Duration(seconds=count // 1000, nanos=count % 1000 * 1_000_000)
