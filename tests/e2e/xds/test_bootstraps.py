"""Every bootstrap that is written is one that Envoy takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from shopmesh.xds.bootstrap import bootstrap
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
    file.write_text(json.dumps(bootstrap(node, "control-plane", 18000, 9901, token_file=str(token))))
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
