"""Which pages of a real Envoy's admin interface and readiness listener answer; asking for others harms nothing."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shopmesh.local.http import send_request
from shopmesh.xds.bootstrap import Options, bootstrap_document
from shopmesh.xds.node import ProxyNode
from tests.e2e.xds.running import envoy_command
from tests.support.process import Child, free_port, running

USED = (
    ("GET", "/ready"),
    ("GET", "/clusters"),
    ("GET", "/clusters?format=json"),
    ("GET", "/stats"),
    ("GET", "/stats?filter=control_plane"),
    ("GET", "/stats/prometheus"),
    ("GET", "/stats/prometheus?usedonly"),
    ("GET", "/certs"),
    ("POST", "/healthcheck/fail"),
    ("POST", "/healthcheck/ok"),
    ("POST", "/drain_listeners?inboundonly"),
)
REFUSED = (
    ("POST", "/quitquitquit"),
    ("GET", "/config_dump"),
    ("GET", "/config_dump?include_eds"),
    ("POST", "/logging?level=trace"),
    ("POST", "/runtime_modify?a=b"),
    ("POST", "/drain_listeners?graceful"),
    ("POST", "/reset_counters"),
    ("POST", "/stats/recentlookups/enable"),
    ("POST", "/cpuprofiler?enable=y"),
    ("GET", "/"),
    ("GET", "/server_info"),
    ("GET", "/memory"),
    ("POST", "/stats/../quitquitquit"),
    ("POST", "//quitquitquit"),
    ("POST", "/%71uitquitquit"),
    ("POST", "/stats%2f..%2fquitquitquit"),
)


class Proxy(NamedTuple):
    """A running Envoy, without a control plane: its admin interface, a port or a socket, and its readiness port."""

    child: Child
    admin: int | Path
    ready: int


@pytest.fixture(scope="module", params=["port", "socket"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("envoy with a space")
    port, ready, xds = free_port(), free_port(), free_port()
    socket = folder / "admin.sock" if request.param == "socket" else None
    node = ProxyNode(mesh="shop", name="order", instance="order-1", mode="explicit", address="127.0.0.1")
    options = Options(admin_socket=str(socket) if socket else None)
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(bootstrap_document(node, "127.0.0.1", xds, port, ready, options=options)))
    at = socket or port
    with running(envoy_command(file)) as child:
        child.wait_for(lambda: answer(at, "GET", "/stats") == 200, "its admin interface answers")
        yield Proxy(child, at, ready)


def answer(at: int | Path, method: str, path: str) -> int:
    return asyncio.run(send_request(at, path, method)).status


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_a_page_that_is_not_used_is_refused_and_envoy_lives(proxy: Proxy, method: str, path: str) -> None:
    """What ends or changes Envoy, or reveals its configuration, in whatever spelling."""
    status = answer(proxy.admin, method, path)

    # 400: Envoy takes it for no path at all.
    assert status in (403, 400)
    assert answer(proxy.admin, "GET", "/stats") == 200
    assert proxy.child.process.poll() is None


@pytest.mark.parametrize(("method", "path"), USED)
def test_a_page_that_is_used_answers(proxy: Proxy, method: str, path: str) -> None:
    """What scripts, hooks, the local mesh and Prometheus ask for; /ready says 503 without a control plane."""
    assert answer(proxy.admin, method, path) == (503 if path == "/ready" else 200)


@pytest.mark.parametrize("proxy", ["socket"], indirect=True)
def test_the_socket_is_its_owner_s_alone_and_no_port_listens(proxy: Proxy) -> None:
    """Where the interface has a socket."""
    assert isinstance(proxy.admin, Path)
    assert stat.S_IMODE(proxy.admin.stat().st_mode) == 0o600
    assert "9901" not in (proxy.admin.parent / "bootstrap.json").read_text()


def test_a_killed_envoy_s_socket_is_taken_over(tmp_path: Path) -> None:
    """Envoy leaves its socket behind when it is killed; the next one binds it."""
    file, socket = tmp_path / "bootstrap.json", tmp_path / "admin.sock"
    node = ProxyNode(mesh="shop", name="order", instance="order-1", mode="explicit", address="127.0.0.1")
    options = Options(admin_socket=str(socket))
    file.write_text(json.dumps(bootstrap_document(node, "127.0.0.1", free_port(), 0, free_port(), options=options)))
    with running(envoy_command(file)) as first:
        first.wait_for(lambda: answer(socket, "GET", "/stats") == 200, "it answers")
        first.kill()
    assert socket.exists()
    with running(envoy_command(file)) as second:
        second.wait_for(lambda: answer(socket, "GET", "/stats") == 200, "it answers")


def test_the_readiness_listener_answers_ready_alone(tmp_path: Path) -> None:
    """Its port is open to other machines in a pod: whatever else is asked for there is not found."""
    file, ready = tmp_path / "bootstrap.json", free_port()
    node = ProxyNode(mesh="shop", name="order", instance="order-1", mode="explicit", address="127.0.0.1")
    document = bootstrap_document(node, "127.0.0.1", free_port(), free_port(), ready)
    # Its workers start when the first configuration is there: here, when it has waited for that long.
    for source in ("cds_config", "lds_config"):
        document["dynamic_resources"][source]["initial_fetch_timeout"] = "0.1s"
    file.write_text(json.dumps(document))
    with running(envoy_command(file)) as child:
        child.wait_for(lambda: answer(ready, "GET", "/ready") == 200, "it is ready")
        found = {path: answer(ready, method, path) for method, path in (*USED, *REFUSED) if path != "/ready"}

        assert {404} == set(found.values()) - {400}, found
        assert child.process.poll() is None
