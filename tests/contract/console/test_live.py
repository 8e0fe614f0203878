"""The live state as server-sent events: the whole state first, then what changes, for a bounded number of clients."""

from __future__ import annotations

import contextlib
import http.client
import signal
import zlib
from typing import Any

import pytest

from shopmesh.client import Client
from shopmesh.console.live.collections import NAMES
from shopmesh.console.live.stream import MOST_STREAMS
from tests.contract.control_plane.conftest import ControlPlane
from tests.support import canaries
from tests.support.event_streams import LIVE, EventStream, event_stream
from tests.support.planes import Planes
from tests.support.reports import Caller, send_reports

LISTENERS: Any = [{"portMapping": {"port": 80, "protocol": "http"}}]
ROUTE_ID = "shopmesh/r/a"


def build(client: Client) -> None:
    """A service with one route to two virtual nodes."""
    client.appmesh.create_mesh(meshName="shopmesh")
    client.appmesh.create_virtual_router(meshName="shopmesh", virtualRouterName="r", spec={"listeners": LISTENERS})
    for node in ("one", "two"):
        client.appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName=node, spec={"listeners": LISTENERS})
    client.appmesh.create_route(meshName="shopmesh", virtualRouterName="r", routeName="a", spec=weights(1, 1))
    provider: Any = {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}
    client.appmesh.create_virtual_service(meshName="shopmesh", virtualServiceName="s", spec=provider)


def weights(one: int, two: int) -> Any:
    targets = [{"virtualNode": "one", "weight": one}, {"virtualNode": "two", "weight": two}]
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}


def delta_with(stream: EventStream, part: str, collection: str) -> Any:
    """The data of the next delta that sets or deletes something of a collection."""
    while True:
        data = stream.take_until("delta").data
        if collection in data[part]:
            return data


def test_a_stream_begins_with_the_whole_state(control_plane: ControlPlane, client: Client) -> None:
    """Every collection, also an empty one, and the route with the targets that share its requests."""
    build(client)
    with event_stream(control_plane.api_port) as stream:
        first = stream.take()

    assert first is not None
    assert "state" == first.name
    assert sorted(NAMES) == sorted(first.data["collections"])
    assert ["one", "two"] == [one["virtualNode"] for one in first.data["collections"]["routes"][ROUTE_ID]["targets"]]
    assert ["6"] == list(first.data["collections"]["changes"])[-1:]


def test_a_change_by_an_aws_client_arrives(control_plane: ControlPlane, client: Client) -> None:
    """Only what changed: the route, and the change itself."""
    build(client)
    with event_stream(control_plane.api_port) as stream:
        stream.take_until("state")
        client.appmesh.update_route(meshName="shopmesh", virtualRouterName="r", routeName="a", spec=weights(25, 75))
        found = delta_with(stream, "set", "routes")["set"]

    assert {ROUTE_ID} == found["routes"].keys()
    assert [0.25, 0.75] == [one["share"] for one in found["routes"][ROUTE_ID]["targets"]]
    assert {"nodes", "services", "meshes"}.isdisjoint(found)


def test_what_is_deleted_is_named(control_plane: ControlPlane, client: Client) -> None:
    """By collection and id."""
    build(client)
    with event_stream(control_plane.api_port) as stream:
        stream.take_until("state")
        client.appmesh.delete_virtual_service(meshName="shopmesh", virtualServiceName="s")
        found = delta_with(stream, "delete", "services")["delete"]

    assert ["shopmesh/s"] == found["services"]


def test_a_stopping_control_plane_ends_its_streams(control_plane: ControlPlane) -> None:
    """They end with a word, and do not hold up the stop; so do those of changes."""
    with (
        event_stream(control_plane.api_port) as stream,
        event_stream(control_plane.api_port, "/shopmesh/v1/changes") as changes,
    ):
        stream.take_until("state")
        control_plane.child.process.send_signal(signal.SIGTERM)
        bye = stream.take_until("bye")

        assert {} == bye.data
        assert [None, None] == [stream.take(), changes.take()]


def test_a_stream_is_compressed_for_a_client_that_reads_it(shared_control_plane: ControlPlane) -> None:
    """Each event can be read when it has arrived."""
    with event_stream(shared_control_plane.api_port, headers={"Accept-Encoding": "gzip"}) as stream:
        assert "gzip" == stream.answer.headers["content-encoding"]
        reader, text = zlib.decompressobj(wbits=31), b""
        while b"\n\nevent: delta" not in text:
            text += reader.decompress(stream.answer.read1())

    assert text.startswith(b"retry: 1000\n\nevent: state\ndata: ")


def test_one_stream_too_many_is_refused_with_a_time(shared_control_plane: ControlPlane) -> None:
    """Those that are open go on, and the place of one that ends is free again."""
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(event_stream(shared_control_plane.api_port)) for _ in range(MOST_STREAMS)]
        for stream in streams:
            stream.take_until("state")
        with event_stream(shared_control_plane.api_port) as refused:
            answer = refused.answer

            assert (503, "5") == (answer.status, answer.headers["retry-after"])
            assert b"live streams are open already" in answer.read()


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_other_methods_have_an_end(shared_control_plane: ControlPlane, method: str) -> None:
    """HEAD answers without events, and nothing but reading is allowed."""
    connection = http.client.HTTPConnection("127.0.0.1", shared_control_plane.api_port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, LIVE)
        answer = connection.getresponse()

        assert {"HEAD": 200, "POST": 405}[method] == answer.status
        assert b"data:" not in answer.read()


def test_any_replica_answers_for_all() -> None:
    """What a proxy reports to one of them is in the stream of the other, and how many of them have answered."""
    with Planes() as planes, Client(planes.one.url) as client:
        build(client)
        backend: Any = {"virtualService": {"virtualServiceName": "s"}}
        spec: Any = {"listeners": LISTENERS, "backends": [backend]}
        client.appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName="caller", spec=spec)
        caller = Caller("shopmesh", "caller", {"cds_egress_shopmesh_one_http_80": 20.0})
        with event_stream(planes.one.api_port) as stream:
            first = stream.take_until("state").data
            # The first report has all since the proxy started.
            send_reports(planes.two.port, [caller.report(), caller.report()])
            figures = flows = None
            while not (figures and figures[2][0][0] and flows):
                found = stream.take_until("delta").data["set"]
                figures = found.get("figures", {}).get(ROUTE_ID, figures)
                flows = found.get("flows", {}).get("shopmesh/virtualNode/caller/s/one", flows)

    assert {"asked": 2, "answered": 2} == first["replicas"]
    _, _, [one, two] = figures
    assert (0, 1) == (two[0], one[5])


def test_a_running_canary_is_in_the_stream_with_its_counts(control_plane: ControlPlane, client: Client) -> None:
    """Without the time of the answer, by which it would differ each second; its next stage is a change."""
    canaries.build(client)
    canaries.start(client)
    with event_stream(control_plane.api_port) as stream:
        first = stream.take_until("state").data["collections"]["canaries"]
        client.canary(canaries.ROUTE, "advance")
        changed = delta_with(stream, "set", "canaries")["set"]["canaries"]

    [(identity, canary)] = first.items()
    assert ("/".join(canaries.ROUTE), "running", 0) == (identity, canary["phase"], canary["seen"]["canary"]["requests"])
    assert {"now", "revision"}.isdisjoint(canary)
    assert canary["stage"] < changed[identity]["stage"]


def test_findings_come_and_go(control_plane: ControlPlane, client: Client) -> None:
    """By code and place, as `doctor` has them."""
    client.appmesh.create_mesh(meshName="shopmesh")
    spec: Any = {"backends": [{"virtualService": {"virtualServiceName": "s"}}]}
    with event_stream(control_plane.api_port) as stream:
        stream.take_until("state")
        client.appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName="n", spec=spec)
        found = delta_with(stream, "set", "findings")["set"]["findings"]
        client.appmesh.delete_virtual_node(meshName="shopmesh", virtualNodeName="n")
        gone = delta_with(stream, "delete", "findings")["delete"]["findings"]

    assert {"SM105/virtualNode%20shopmesh%2Fn": "SM105"} == {one: finding["code"] for one, finding in found.items()}
    assert list(found) == gone
