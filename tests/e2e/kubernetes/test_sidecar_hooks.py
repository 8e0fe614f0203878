"""What the manifests tell a sidecar, at a real Envoy: who it is, and how it says goodbye."""

from __future__ import annotations

import http.client
import json
import subprocess
from typing import Any

import pytest
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf import json_format

from shopmesh.xds.node import parse
from tests.e2e.kubernetes.running import PORT, Pod
from tests.e2e.xds.running import get
from tests.k8s.policy import init_containers, meshed
from tests.k8s.rendering import overlay
from tests.support.process import eventually


def envoy_of(name: str) -> Any:
    """The sidecar of an overlay, beside order."""
    (order,) = [one for one in meshed(overlay(name)) if one["metadata"]["name"] == "order"]
    return init_containers(order)[-1]


def test_goodbye_is_said_to_callers_and_their_requests_are_served(product: Pod) -> None:
    """After the hook Envoy is not ready any more, and each answer asks its caller to close; there are answers."""

    def ask() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection(product.address, PORT, timeout=10)
        connection.request("GET", "/", headers={"host": "product.default.svc.cluster.local"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.getheader("connection")

    command = envoy_of("local")["lifecycle"]["preStop"]["exec"]["command"]
    before = ask()
    subprocess.run([one.replace("/9901", f"/{product.admin}") for one in command], check=True, timeout=30)

    assert (200, None) == before
    assert 503 == get(product.ready, "/ready")[0]
    eventually(lambda: ask() == (200, "close"), "answers ask callers to close")


@pytest.mark.parametrize(("name", "mode"), [("local", "intercepted"), ("explicit", "explicit")])
def test_an_envoy_says_what_the_control_plane_reads(name: str, mode: str) -> None:
    """The arguments, as the kubelet expands them, are a proxy's node."""
    arguments = [
        one.replace("$(MESH)", "shopmesh").replace("$(VIRTUAL_NODE)", "order-vn").replace("$(POD_NAME)", "order-1")
        for one in envoy_of(name)["args"]
    ]
    of = dict(zip(arguments[3::2], arguments[4::2], strict=False))
    node = Node(id=of["--service-node"], cluster=of["--service-cluster"])
    json_format.ParseDict(json.loads(of["--config-yaml"])["node"], node)
    read = parse(node)

    assert ("shopmesh", "order-vn", "order-1", mode) == (read.mesh, read.name, read.instance, read.mode)
    if mode == "explicit":
        assert (((5000, 5000),), ((5000, 5080),), 15001) == (read.ports, read.application_ports, read.egress_port)
