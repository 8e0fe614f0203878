"""Which Envoys may ask a control plane: those with its token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from shopmesh.client import Client
from shopmesh.xds.bootstrap import bootstrap_document
from shopmesh.xds.node import ProxyNode
from tests.contract.control_plane.conftest import serving
from tests.e2e.xds.running import envoy_command, get
from tests.support.process import Child, eventually, free_port, running

RIGHT, NEXT, WRONG = "the-right-token-1", "the-right-token-2", "a-wrong-token-123"


def put(file: Path, token: str) -> Path:
    """By a move, as a secret's volume does."""
    file.parent.mkdir(exist_ok=True)
    new = file.with_name("new")
    new.write_text(token)
    new.rename(file)
    return file


@dataclass
class Envoy:
    child: Child
    ready_port: int
    token_file: Path

    def is_ready(self) -> bool:
        return get(self.ready_port, "/ready")[0] == 200


@contextmanager
def envoy(folder: Path, instance: str, xds_port: int, token: str | None) -> Iterator[Envoy]:
    """One Envoy of `order` with a token of its own."""
    file = folder / instance / "token"
    if token:
        put(file, token)
    node = ProxyNode(
        mesh="shop", name="order", instance=instance, mode="explicit", address="127.0.0.1", egress_port=free_port()
    )
    ready = free_port()
    document = bootstrap_document(
        node, "127.0.0.1", xds_port, free_port(), ready, token_file=str(file) if token else None
    )
    bootstrap_file = folder / f"{instance}.json"
    bootstrap_file.write_text(json.dumps(document))
    with running(envoy_command(bootstrap_file)) as child:
        yield Envoy(child, ready, file)


@pytest.mark.feature(34, better="a token in a file instead of IAM: it changes while everything runs")
def test_only_envoys_with_the_token_come_in(tmp_path: Path) -> None:
    """The right token is taken; a wrong one and none are refused, and both sides say which; no log holds a token."""
    token = put(tmp_path / "served" / "token", RIGHT)
    with serving("--xds-token-file", str(token)) as control_plane, Client(control_plane.url) as client:
        client.appmesh.create_mesh(meshName="shop")
        client.appmesh.create_virtual_node(meshName="shop", virtualNodeName="order", spec={})
        port = control_plane.xds_port
        with (
            envoy(tmp_path, "right", port, RIGHT) as right,
            envoy(tmp_path, "wrong", port, WRONG) as wrong,
            envoy(tmp_path, "none", port, None) as none,
        ):
            right.child.wait_for(right.is_ready, "it is configured")
            for refused, why in ((wrong, "is not the control plane's"), (none, "no token came")):
                refused.child.wait_for(lambda r=refused, w=why: w in r.child.output, why)  # type: ignore[misc]
                assert "closed: 16" in refused.child.output
            assert ["right"] == connected(client)

            put(wrong.token_file, RIGHT)
            wrong.child.wait_for(wrong.is_ready, "it is configured once it has the right token")

            said = control_plane.child.output + right.child.output + wrong.child.output
        assert "refused ipv4:127.0.0.1" in control_plane.child.output
        for secret in (RIGHT, WRONG):
            assert secret not in said


@pytest.mark.feature(34, better="a token in a file instead of IAM: it changes while everything runs")
def test_after_a_change_of_the_token_only_the_new_one_counts(tmp_path: Path) -> None:
    """A restarted control plane takes no proxy back before it has the new token; it serves on meanwhile."""
    token = put(tmp_path / "served" / "token", RIGHT)
    options = ("--store", str(tmp_path / "store.db"), "--xds-token-file", str(token), "--xds-port", str(free_port()))
    with serving(*options) as control_plane, Client(control_plane.url) as client:
        client.appmesh.create_mesh(meshName="shop")
        client.appmesh.create_virtual_node(meshName="shop", virtualNodeName="order", spec={})
        with envoy(tmp_path, "order-1", control_plane.xds_port, RIGHT) as order:
            order.child.wait_for(order.is_ready, "it is configured")
            put(token, NEXT)
            control_plane.child.stop()
            with serving(*options) as again, Client(again.url) as other:
                order.child.wait_for(lambda: "is not the control plane's" in order.child.output, "it is refused")
                assert order.is_ready()
                assert [] == connected(other)

                put(order.token_file, NEXT)
                eventually(lambda: connected(other) == ["order-1"], "it is back")


def connected(client: Client) -> list[str]:
    return [proxy["instance"] for proxy in client.proxies() if proxy["connected"]]
