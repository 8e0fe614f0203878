"""The client itself: signatures, and what it says when nobody answers as expected."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client, ResponseError, UnreachableError, read_mesh
from tests.contract.cli.conftest import ControlPlane, Run
from tests.support.process import free_port


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """Accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_nobody_there_is_told_with_what_to_do() -> None:
    """The address, and the command that starts a control plane."""
    with Client(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(UnreachableError, match=r"no control plane answers at .*: start one with `shopmesh up`"):
            client.proxies()
        assert not client.healthy()


def test_silence_is_told_after_the_time_out(mute: socket.socket) -> None:
    """A control plane that hangs is not waited for without end."""
    with (
        Client(url(mute), timeout=0.2) as client,
        pytest.raises(UnreachableError, match=r"did not answer within 0\.2 s"),
    ):
        client.findings()


def test_another_server_is_recognised(mute: socket.socket) -> None:
    """A web page is no control plane, whatever its status."""

    def answer() -> None:
        connection, _ = mute.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<p>hi")

    thread = threading.Thread(target=answer)
    thread.start()

    with Client(url(mute)) as client, pytest.raises(UnreachableError, match="is not a control plane of shopmesh"):
        client.proxies()
    thread.join()


def test_a_refusal_has_its_code_message_and_index(client: Client) -> None:
    """Which of several requests was refused, and why; none of them was done."""
    requests = [
        {"operation": "CreateMesh", "parameters": {"meshName": "m"}},
        {"operation": "DeleteMesh", "parameters": {"meshName": "other"}},
    ]

    with pytest.raises(ResponseError) as refused:
        client.requests(requests)

    assert ("NotFoundException", 404, 1) == (refused.value.code, refused.value.status, refused.value.index)
    assert [] == client.appmesh.list_meshes()["meshes"]


def test_boto3_and_the_batch_reach_the_same_control_plane(client: Client) -> None:
    """What one writes, the other reads; the revision grows with each write."""
    first = client.requests([{"operation": "CreateMesh", "parameters": {"meshName": "m"}}])
    client.appmesh.create_virtual_node(meshName="m", virtualNodeName="a-vn", spec={})

    assert ["m", "a-vn"] == [resource.key.name for resource in read_mesh(client, "m")]
    assert first.revision < client.requests([], dry_run=True).revision


def test_more_resources_than_a_page_are_all_read(client: Client) -> None:
    """Lists go on page by page, and answers come in several batches."""
    names = [f"n-{number:03}" for number in range(230)]
    creations = [
        {"operation": "CreateVirtualNode", "parameters": {"meshName": "m", "virtualNodeName": name, "spec": {}}}
        for name in names
    ]
    client.requests([{"operation": "CreateMesh", "parameters": {"meshName": "m"}}, *creations])

    assert ["m", *names] == [resource.key.name for resource in read_mesh(client, "m")]


def test_requests_are_signed_as_the_control_plane_wants_it(secured: ControlPlane) -> None:
    """The right key is let in, by boto3 and by the batch; another is refused with the reason."""
    with Client(secured.url, credentials=Credentials("key", "secret")) as client:
        client.appmesh.create_mesh(meshName="m")
        client.requests([{"operation": "DescribeMesh", "parameters": {"meshName": "m"}}])
        assert [] == client.splits("m", since=1.5)["splits"]
    with Client(secured.url, credentials=Credentials("key", "wrong")) as client:
        with pytest.raises(ResponseError) as refused:
            client.proxies()
        assert 403 == refused.value.status


def test_the_usual_credentials_are_used(secured: ControlPlane, shopmesh: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys come from where the aws CLI takes them; a wrong one is a single line."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    said = shopmesh("--endpoint-url", secured.url, "get", status=1).stderr

    assert said.startswith("error: ")
    assert 1 == said.count("\n")


def test_who_has_another_key_is_told_of_env(
    secured: ControlPlane, shopmesh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of the user's own AWS account is no key of a mesh on this machine."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    said = shopmesh("--endpoint-url", secured.url, "get", status=1).stderr
    assert "the access key is not known here" in said
    assert 'run `eval "$(shopmesh env --run-dir FOLDER)"` with its run folder' in said
