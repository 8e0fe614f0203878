"""What of a virtual node's logging becomes what of Envoy."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.store import Document
from shopmesh.xds.node import Mode
from tests.support.translated import message, proxy, translated
from tests.unit.xds import meshes

FILTERS = {
    "envoy.filters.network.http_connection_manager": HttpConnectionManager,
    "envoy.filters.network.tcp_proxy": TcpProxy,
}


def logs(logging: Document, mode: Mode = "explicit") -> list[list[dict[str, Any]]]:
    """What each connection manager and TCP proxy of `order` logs to."""
    found = translated([meshes.mesh(egress="ALLOW_ALL"), meshes.node("order", logging=logging)], proxy("order", mode))
    told = []
    for name in found["listeners"].resources:
        listener = message(found, "listeners", name)
        for chain in (*listener.filter_chains, listener.default_filter_chain):
            for one in chain.filters:
                filter_ = FILTERS[one.name].FromString(one.typed_config.value)
                told.append(
                    [MessageToDict(FileAccessLog.FromString(log.typed_config.value)) for log in filter_.access_log]
                )
    return told


def to_file(format_: Document | None = None) -> Document:
    return {"accessLog": {"file": {"path": "/dev/stdout", **({"format": format_} if format_ else {})}}}


@pytest.mark.parametrize(("mode", "filters"), [("explicit", 2), ("intercepted", 3)])
def test_everything_that_carries_traffic_logs(mode: Mode, filters: int) -> None:
    """26: in both directions, HTTP and TCP alike; without a format in Envoy's own."""
    assert [[{"path": "/dev/stdout"}]] * filters == logs(to_file(), mode)


@pytest.mark.parametrize("written", ["%RESPONSE_CODE%", "%RESPONSE_CODE%\n"])
def test_a_text_format_ends_its_lines(written: str) -> None:
    """Envoy itself puts nothing between two entries."""
    ((log,), _) = logs(to_file({"text": written}))

    assert {"textFormatSource": {"inlineString": "%RESPONSE_CODE%\n"}} == log["logFormat"]


def test_a_json_format_has_its_keys() -> None:
    """Envoy writes the object, and ends the line."""
    ((log,), _) = logs(to_file({"json": [{"key": "status", "value": "%RESPONSE_CODE%"}, {"key": "x", "value": "y"}]}))

    assert {"jsonFormat": {"status": "%RESPONSE_CODE%", "x": "y"}} == log["logFormat"]


def test_nothing_is_logged_unless_asked_for() -> None:
    """As with App Mesh."""
    assert [[], []] == logs({})
