"""`shopmesh serve`: what it says when it starts and stops, and what it will not do."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import tempfile
import urllib.request
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client, ResponseError
from tests.contract.control_plane.conftest import SERVE, ControlPlane, serving
from tests.support.process import running


def refused(*arguments: str) -> str:
    """What `shopmesh serve` says instead of starting."""
    with tempfile.TemporaryDirectory() as folder, running((*SERVE, "--run-dir", folder, *arguments)) as child:
        assert child.process.wait(20) == 1
        return child.output


def test_it_is_healthy_and_ready_once_it_says_where_it_listens(control_plane: ControlPlane) -> None:
    """Whoever starts it may go on when the line with the ports has come."""
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(control_plane.url + path, timeout=5) as answer:
            assert "ok" == json.load(answer)["status"]


def test_it_ends_well_when_it_is_told_to(control_plane: ControlPlane) -> None:
    """A graceful stop is no failure for who supervises it."""
    assert control_plane.child.stop(signal.SIGTERM) == 0
    assert "Traceback" not in control_plane.child.output


def test_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    """The file of the resources is all that a restart needs, and versions of snapshots come out the same."""
    store = str(tmp_path / "store.db")
    for expected in ([], ["shopmesh"]):
        with serving("--store", store) as found, Client(found.url) as client:
            meshes = client.appmesh.list_meshes()["meshes"]
            assert expected == [mesh["meshName"] for mesh in meshes]
            if not meshes:
                client.appmesh.create_mesh(meshName="shopmesh")


def test_a_store_that_lost_changes_is_a_finding_until_its_note_is_removed(tmp_path: Path) -> None:
    """In the log and for `doctor`, after each start: a restart by a supervisor does not hide it."""
    store = tmp_path / "store.db"
    with serving("--store", str(store)) as found, Client(found.url) as client:
        client.appmesh.create_mesh(meshName="shopmesh")
    store.write_bytes(b"")
    for _ in range(2):
        with serving("--store", str(store)) as found, Client(found.url) as client:
            [finding] = client.findings()
            assert ("SM213", "error") == (finding["code"], finding["severity"])
            assert f"1 change is lost; the file was empty (noted in {store}-lost)" in finding["what"]
            assert f"ERROR the store {store} has lost changes" in found.child.output
            assert 1 == client.changes()["revision"]
    with serving("--store", str(store)) as found, Client(found.url) as client:
        Path(f"{store}-lost").unlink()
        assert [] == client.findings()


@pytest.mark.parametrize(("option", "what"), [("--api-port", "the API"), ("--xds-port", "xDS")])
def test_a_taken_port_is_named_in_one_line(option: str, what: str) -> None:
    """Nothing is left half started, and the line says which option helps."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        other = {"--api-port", "--xds-port"} - {option}
        said = refused(option, port, other.pop(), "0")

    [line] = said.splitlines()
    assert line.startswith(f"error: {what} cannot listen on 127.0.0.1:{port}")
    assert option in line


def test_listening_to_others_without_credentials_is_refused() -> None:
    """Nobody opens a mesh to a network by accident."""
    assert "without credentials" in refused("--no-auth", "--host", "0.0.0.0", "--api-port", "0", "--xds-port", "0")


def test_a_damaged_store_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    """Its user may still rescue what is in it."""
    store = tmp_path / "store.db"
    with serving("--store", str(store)):
        pass
    with sqlite3.connect(store) as connection:
        connection.execute("INSERT INTO resource VALUES ('mesh', '[\"m\"]', '{not json')")
    connection.close()
    before = store.read_bytes()
    said = refused("--store", str(store), "--api-port", "0", "--xds-port", "0")

    assert str(store) in said
    assert "Traceback" not in said
    assert before == store.read_bytes()


def test_credentials_are_asked_for_on_every_path_but_health(tmp_path: Path) -> None:
    """What stands beside App Mesh's API is as protected as it is."""
    keys = tmp_path / "keys"
    keys.write_text("[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = right\n")
    with serving("--credentials", str(keys)) as found:
        with Client(found.url, credentials=Credentials("AKIAONE", "right")) as client:
            assert client.healthy()
            assert [] == client.proxies()
            assert [] == client.appmesh.list_meshes()["meshes"]
        with Client(found.url, credentials=Credentials("AKIAONE", "wrong")) as client:
            assert client.healthy()
            for ask in (client.proxies, client.findings, client.splits, client.changes):
                with pytest.raises(ResponseError) as error:
                    ask()
                assert error.value.status == 403
        assert "right" not in found.child.output


def test_garbage_on_the_grpc_port_harms_nothing(control_plane: ControlPlane, client: Client) -> None:
    """A port scanner, or a browser that went astray, costs its own connection and nothing else."""
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 4096, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 512):
        with socket.create_connection(("127.0.0.1", control_plane.xds_port), timeout=5) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    assert client.healthy()
    client.appmesh.create_mesh(meshName="still-here")
