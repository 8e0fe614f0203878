"""Every bootstrap that is written is one that Envoy takes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from shopmesh.xds.bootstrap import bootstrap_document
from shopmesh.xds.bootstrap.environment import ProxyOwner, options
from shopmesh.xds.node import ProxyNode
from tests.e2e.xds.running import envoy_command

INTERCEPTED = ProxyNode(mesh="shop", name="order", instance="order-1")
EXPLICIT = ProxyNode(
    mesh="shop",
    name="order",
    instance="n",
    mode="explicit",
    address="127.0.0.1",
    ports=((5000, 41001),),
    application_ports=((5000, 41002),),
    egress_port=41003,
)


@pytest.mark.parametrize("node", [EXPLICIT, INTERCEPTED, None], ids=["explicit", "intercepted", "by command line"])
def test_envoy_validates_it(node: ProxyNode | None, tmp_path: Path) -> None:
    """`--mode validate` accepts it without a warning of something deprecated."""
    file, token = tmp_path / "bootstrap.json", tmp_path / "token"
    token.write_text("0123456789abcdef")
    file.write_text(json.dumps(bootstrap_document(node, "control-plane", 18000, 9901, token_file=str(token))))
    who = () if node else ("--service-node", "mesh/shop/virtualNode/order", "--service-cluster", "order")
    done = subprocess.run(
        [str(part) for part in envoy_command(file, "--mode", "validate", *who)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, f"configuration '{file}' OK"), done.stderr
    assert "eprecated" not in done.stderr


EVERYTHING = {
    "ENABLE_ENVOY_STATS_TAGS": "1",
    "ENABLE_ENVOY_DOG_STATSD": "1",
    "APPMESH_METRIC_EXTENSION_VERSION": "1",
    "APPMESH_SDS_SOCKET_PATH": "/run/sds.sock",
    "APPMESH_XDS_ENDPOINT": "unix:///run/xds.sock",
    "ENVOY_ADMIN_ACCESS_LOG_FILE": "/dev/null",
    "ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH": "/dev/null",
    "ENVOY_STATS_FLUSH_INTERVAL": "5000ms",
    "MAX_REQUESTS_PER_IO_CYCLE": "1",
}


@pytest.mark.parametrize("tracer", ["ENABLE_ENVOY_XRAY_TRACING", "ENABLE_ENVOY_DATADOG_TRACING"])
def test_envoy_validates_what_variables_switch_on(tracer: str, tmp_path: Path) -> None:
    """All that App Mesh's image could be told at once, and Prometheus."""
    made = options({**EVERYTHING, tracer: "1"}, ProxyOwner("shop", "virtualNode", "order"), lambda path: {})
    file = tmp_path / "bootstrap.json"
    document = bootstrap_document(INTERCEPTED, "x", 1, 9901, options=replace(made, prometheus_port=15090))
    file.write_text(json.dumps(document))
    command = [str(part) for part in envoy_command(file, "--mode", "validate")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (0, "") == (done.returncode, done.stderr)
