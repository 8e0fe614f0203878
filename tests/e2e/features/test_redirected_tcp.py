"""TCP that is redirected into the proxy: a network namespace with iptables' own rules, as a pod has them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopmesh.xds.bootstrap import bootstrap_document
from shopmesh.xds.bootstrap.options import Options
from shopmesh.xds.node import ProxyNode
from tests.e2e.xds.running import Mesh, envoy_command
from tests.support.process import Child, eventually, running
from tests.unit.xds import meshes

ADMIN, READY = 9901, 15021
DB, CACHE, OWN, NEXT_DB = "10.9.9.1", "10.9.9.2", "10.9.9.3", "10.9.9.4"
# What is sent to port 6000 goes out by the proxy; applications listen on 6001, where nothing is redirected.
RULES = f"""
set -e
ip link set lo up
for address in {DB} {CACHE} {OWN} {NEXT_DB}; do ip address add $address/32 dev lo; done
iptables -t nat -A OUTPUT -p tcp -m multiport --dports 6000,6002 -j REDIRECT --to-ports 15001
iptables -t nat -A OUTPUT -p tcp -d {OWN} --dport 7000 -j REDIRECT --to-ports 15000
echo ready
exec sleep 300
"""
# Each speaks first, and ends the connection.
APPLICATIONS = f"""
import socketserver, threading

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

def serve(address, port, name):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(name)
    threading.Thread(target=Server((address, port), Handler).serve_forever).start()

serve("{DB}", 6001, b"db")
serve("{CACHE}", 6001, b"cache")
serve("{NEXT_DB}", 6001, b"next db")
serve("127.0.0.1", 7000, b"order")
print("ready", flush=True)
"""
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as connection:
    print(connection.makefile().read(), end="")
"""


class Namespace:
    """A network in which this user may redirect."""

    def __init__(self, child: Child) -> None:
        self._enter = ["nsenter", "-t", str(child.pid), "-U", "-n", "--preserve-credentials"]

    def inside(self, *command: str | Path) -> list[str | Path]:
        return [*self._enter, *command]

    def call(self, address: str, port: int) -> str:
        """What is said first there; empty where the connection is closed without a word."""
        command = self.inside(sys.executable, "-c", CLIENT, address, str(port))
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=30, check=False)
        return done.stdout


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    tcp = meshes.listener(6000, "tcp")
    there = {"6000": 6001}
    with Mesh() as running_mesh:
        running_mesh.put(
            meshes.mesh(),
            meshes.node("order", [meshes.listener(7000, "tcp")], backends=["db.local", "cache.local"]),
            *(meshes.node(name, [tcp]) for name in ("db", "next-db", "cache")),
            meshes.router("db-r", tcp),
            meshes.route("db-r", "all", {"db": 1, "next-db": 0}, match={}, kind="tcpRoute"),
            meshes.service("db.local", router="db-r"),
            meshes.service("cache.local", node="cache"),
            meshes.instance("db", "i", DB, there),
            meshes.instance("next-db", "i", NEXT_DB, there),
            meshes.instance("cache", "i", CACHE, there),
        )
        yield running_mesh


@pytest.fixture(scope="module")
def network(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """With applications, and one proxy that everything is redirected into."""
    if not shutil.which("unshare") or not shutil.which("iptables"):
        pytest.skip("redirecting needs Linux with unshare and iptables; make test-containers tries it as well")
    allowed = subprocess.run(["unshare", "-Urn", "iptables", "-t", "nat", "-L"], capture_output=True, check=False)
    if allowed.returncode:
        pytest.skip(f"this user may not redirect: {allowed.stderr.decode().strip()}")
    file = tmp_path_factory.mktemp("proxy") / "bootstrap.json"
    node = ProxyNode(mesh="shop", name="order", instance="order-1")
    document = bootstrap_document(node, "-", 0, ADMIN, READY, options=Options(xds_socket=str(mesh.socket)))
    file.write_text(json.dumps(document))
    with running(["unshare", "-Urn", "sh", "-c", RULES]) as child:
        child.wait_for(lambda: "ready" in child.output, "the rules are set")
        namespace = Namespace(child)
        with (
            running(namespace.inside(sys.executable, "-c", APPLICATIONS)) as applications,
            running(namespace.inside(*envoy_command(file))) as proxy,
        ):
            applications.wait_for(lambda: "ready" in applications.output, "the applications listen")
            proxy.wait_for(lambda: mesh.statuses()["order-1"].in_sync, "the proxy has all that it should")
            eventually(lambda: namespace.call(DB, 6000), "it answers")
            yield namespace


@pytest.mark.feature(2)
@pytest.mark.feature(17, better="services that share a port are told apart by their addresses")
def test_services_on_one_port_are_told_apart(network: Namespace) -> None:
    """Each is found by the addresses of its targets; both speak first, and nobody waits for the client."""
    assert {(DB, "db"), (CACHE, "cache")} == {(address, network.call(address, 6000)) for address in (DB, CACHE)}


@pytest.mark.feature(2)
@pytest.mark.feature(25)
def test_another_port_is_closed(network: Namespace) -> None:
    """DROP_ALL: what is redirected and no port of a backend leads nowhere."""
    assert network.call(DB, 6002) == ""


@pytest.mark.feature(1)
@pytest.mark.feature(2)
def test_what_comes_in_reaches_the_application(network: Namespace) -> None:
    """By its original port, as a connection from another pod would come."""
    assert network.call(OWN, 7000) == "order"


@pytest.mark.feature(14)
@pytest.mark.feature(17)
def test_the_route_decides_and_not_the_address(mesh: Mesh, network: Namespace) -> None:
    """All weight goes to the next version: it answers, at the address of the first."""
    weights = {"db": 0, "next-db": 1}
    mesh.converge(mesh.put(meshes.route("db-r", "all", weights, match={}, kind="tcpRoute")))

    assert network.call(DB, 6000) == "next db"
    assert network.call(CACHE, 6000) == "cache"
