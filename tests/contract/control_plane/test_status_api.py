"""What is served beside App Mesh's API: changes, splits, figures, findings, proxies."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from shopmesh.client import Client, ResponseError
from tests.contract.control_plane.conftest import ControlPlane


def create_node(client: Client, name: str, *backends: str) -> None:
    client.appmesh.create_virtual_node(
        meshName="shopmesh",
        virtualNodeName=name,
        spec={"backends": [{"virtualService": {"virtualServiceName": backend}} for backend in backends]},
    )


@pytest.fixture
def client(client: Client) -> Client:
    """Of a control plane with an empty mesh, at revision 1."""
    client.appmesh.create_mesh(meshName="shopmesh")
    return client


def test_every_write_is_a_change_with_its_resources(client: Client) -> None:
    """A change that concerns no proxy has converged at once, without a time."""
    create_node(client, "a-vn")
    changes = client.changes(after=1)

    assert 2 == changes["revision"]
    [change] = changes["changes"]
    assert (["virtualNode shopmesh/a-vn"], True, None) == (
        change["resources"],
        change["converged"],
        change["milliseconds"],
    )


def test_a_change_is_asked_for_by_its_revision(client: Client) -> None:
    """One that never was is not waited for, and the answer says which is the newest."""
    assert 1 == client.wait_converged(1)["revision"]
    with pytest.raises(ResponseError, match="newest is 1"):
        client.wait_converged(7, timeout=0.1)


def test_changes_come_as_server_sent_events(control_plane: ControlPlane, client: Client) -> None:
    """Each once, when every proxy has it; also those that come while the stream is open."""
    connection = http.client.HTTPConnection("127.0.0.1", control_plane.api_port, timeout=10)
    connection.request("GET", "/shopmesh/v1/changes?after=0", headers={"Accept": "text/event-stream"})
    events = connection.getresponse()
    create_node(client, "a-vn")
    seen: list[int] = []
    while len(seen) < 2:
        line = events.readline().decode()
        if line.startswith("data: "):
            seen.append(json.loads(line.removeprefix("data: "))["revision"])
    connection.close()

    assert [1, 2] == seen


def test_a_backend_without_a_service_is_a_finding(client: Client) -> None:
    """It is allowed, for the service may come later; until it does, calls to it fail."""
    create_node(client, "a-vn", "b.default.svc.cluster.local")
    [finding] = client.findings()

    assert ("SM105", "error", "virtualNode shopmesh/a-vn") == tuple(finding[it] for it in ("code", "severity", "where"))
    assert "b.default.svc.cluster.local" in finding["what"]


def test_a_split_counts_since_its_route_changed(client: Client) -> None:
    """Unless the question names a time: then all since that is counted."""
    listeners: Any = [{"portMapping": {"port": 80, "protocol": "http"}}]
    client.appmesh.create_virtual_router(meshName="shopmesh", virtualRouterName="r", spec={"listeners": listeners})
    client.appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName="n", spec={"listeners": listeners})
    targets: Any = [{"virtualNode": "n", "weight": 1}]
    spec: Any = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    made = client.appmesh.create_route(meshName="shopmesh", virtualRouterName="r", routeName="a", spec=spec)
    provider: Any = {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}
    client.appmesh.create_virtual_service(meshName="shopmesh", virtualServiceName="s", spec=provider)
    changed = made["route"]["metadata"]["lastUpdatedAt"].timestamp()

    answer = client.splits("shopmesh", window=600)
    [split] = answer["splits"]
    assert answer["since"] < changed <= split["since"] + 0.01
    [split] = client.splits("shopmesh", since=1.5)["splits"]
    assert 1.5 == split["since"]


def test_without_proxies_there_are_no_figures(client: Client) -> None:
    """An empty mesh is told as empty, not as an error."""
    assert ([], [], []) == (client.proxies(), client.splits()["splits"], client.figures())


def test_withdrawing_a_proxy_that_is_not_there_says_so(client: Client) -> None:
    """The names that were asked for stand in the answer."""
    with pytest.raises(ResponseError, match=r"no instance a-1 of virtualNode a-vn") as error:
        client.withdraw("shopmesh", "virtualNode", "a-vn", "a-1")
    assert error.value.status == 404


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/shopmesh/v1/splits?window=soon", 400, "window='soon'"),
        ("/shopmesh/v1/figures?since=-1", 400, "since='-1'"),
        ("/shopmesh/v1/changes?after=nan", 400, "after='nan'"),
        ("/shopmesh/v1/nothing", 404, "Not Found"),
        ("/shopmesh/v1/changes/x", 404, "'x' is not the number of a change"),
        pytest.param(f"/shopmesh/v1/changes/{'9' * 5000}", 404, "is not the number of a change", id="5,000 digits"),
        pytest.param(f"/shopmesh/v1/changes?after={'9' * 5000}", 400, "is not a number", id="after 5,000 digits"),
        pytest.param(f"/shopmesh/v1/changes/1?wait={'9' * 5000}", 400, "is not a number", id="wait 5,000 digits"),
        ("/shopmesh/v1/changes/%D9%A3", 404, "is not the number of a change"),
    ],
)
def test_a_bad_question_is_answered_with_what_is_wrong(
    shared_control_plane: ControlPlane, path: str, status: int, said: str
) -> None:
    """Never a 5xx, and always JSON with a message."""
    url = shared_control_plane.url + path
    with pytest.raises(urllib.error.HTTPError) as error, urllib.request.urlopen(url, timeout=5):
        pass

    assert status == error.value.code
    assert said in json.load(error.value)["message"]
    error.value.close()


def test_a_path_that_no_api_has_is_an_unknown_operation(shared_control_plane: ControlPlane) -> None:
    """A client of AWS's reads the kind of an error from a header."""
    url = f"{shared_control_plane.url}/x"
    with pytest.raises(urllib.error.HTTPError) as error, urllib.request.urlopen(url, timeout=5):
        pass

    assert (404, "UnknownOperationException") == (error.value.code, error.value.headers["x-amzn-ErrorType"])
    error.value.close()
