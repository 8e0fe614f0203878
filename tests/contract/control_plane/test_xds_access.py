"""Who may be a proxy of a control plane on one machine: by a token, or by the folder of a socket."""

from __future__ import annotations

import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.files.private_files import XDS_TOKEN
from shopmesh.server.grpc.ads import SERVICE
from shopmesh.xds.node import ProxyNode
from tests.contract.control_plane.conftest import SERVE
from tests.support.process import Child, eventually, running
from tests.support.strangers import connecting, needs_root, opening

PORTS = ("--api-port", "0", "--xds-port", "0")
CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
NODE = ProxyNode(mesh="shop", name="order", instance="order-1")


@pytest.fixture
def folder() -> Iterator[Path]:
    """One whose parents let everybody in, unlike a test's own."""
    with tempfile.TemporaryDirectory(prefix="shopmesh access %41 ", dir="/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def says(target: str, token: str | None = None) -> grpc.StatusCode:
    """How a stream of ADS ends for that proxy: OK when it was let in."""
    request = DeltaDiscoveryRequest(type_url=CLUSTERS)
    request.node.id, request.node.cluster = f"mesh/{NODE.mesh}/virtualNode/{NODE.name}", NODE.name
    request.node.metadata.update(NODE.to_document()["metadata"])
    with grpc.insecure_channel(target) as channel:
        call = channel.stream_stream(
            f"/{SERVICE}/DeltaAggregatedResources",
            DeltaDiscoveryRequest.SerializeToString,
            DeltaDiscoveryResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {token}"),) if token else None
        try:
            # The stream ends with its one request.
            list(call(iter([request]), metadata=metadata, timeout=10))
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK


def listening(child: Child) -> str:
    """Its port of xDS."""
    child.wait_for(lambda: "xDS on" in child.output, "it listens")
    return child.output.rpartition("xDS on ")[2].split()[0]


@pytest.mark.parametrize("carrier", ["grpc", "http2"])
def test_a_port_is_for_who_has_the_token_of_the_run_folder(carrier: str, folder: Path) -> None:
    """It is made at the first start, for its owner alone, and stays; without it nobody is a proxy."""
    run = folder / "run"
    tokens = set()
    for _ in range(2):
        with running((*SERVE, *PORTS, "--run-dir", run, "--xds-carrier", carrier)) as child:
            target = listening(child)
            token = (run / "xds-token").read_text()
            tokens.add(token)

            assert f"with the token in {run / 'xds-token'}" in child.output
            assert says(target) == says(target, "x" * 64) == grpc.StatusCode.UNAUTHENTICATED
            assert says(target, token) == grpc.StatusCode.OK
            assert token not in child.output
    assert len(tokens) == 1
    assert [0o700, 0o600] == [stat.S_IMODE(path.stat().st_mode) for path in (run, run / "xds-token")]


def test_insecure_opens_the_port(folder: Path) -> None:
    """By its own word, and without a token."""
    with running((*SERVE, *PORTS, "--insecure", "--run-dir", folder / "run")) as child:
        assert says(listening(child)) == grpc.StatusCode.OK
    assert not (folder / "run" / XDS_TOKEN).exists()


def test_a_socket_is_for_who_may_enter_its_folder(folder: Path) -> None:
    """Whatever its path is written with; it is gone when the control plane is."""
    (folder / "private").mkdir(mode=0o700)
    path = folder / "private" / "xds.sock"
    with running((*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", path)) as child:
        listening(child)

        assert says(f"unix:{quote(str(path))}") == grpc.StatusCode.OK
    assert not path.exists()


@needs_root
def test_another_user_can_connect_to_no_socket(folder: Path) -> None:
    """Nor read the token of a port."""
    (folder / "private").mkdir(mode=0o700)
    path = folder / "private" / "xds.sock"
    with running((*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", path)) as child:
        listening(child)

        assert {"PermissionError"} == connecting([path])
    with running((*SERVE, *PORTS, "--run-dir", folder / "run")) as child:
        listening(child)

        assert {"PermissionError"} == opening([folder / "run" / "xds-token"])


def test_a_socket_in_a_folder_of_all_is_refused(folder: Path) -> None:
    """Unless something else says who may be a proxy."""
    path = folder / "xds.sock"
    with running((*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", path)) as child:
        assert child.process.wait(20) == 1
        assert "lets other users of this machine open the socket" in child.output
        assert "--xds-token-file" in child.output
    token = folder / "token"
    token.write_text("0123456789abcdef")
    with running(
        (*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", path, "--xds-token-file", token)
    ) as child:
        listening(child)
        target = f"unix:{quote(str(path))}"

        assert says(target) == grpc.StatusCode.UNAUTHENTICATED
        assert says(target, "0123456789abcdef") == grpc.StatusCode.OK


def test_a_socket_that_is_served_is_left_to_its_owner(folder: Path) -> None:
    """One that was left behind is taken over; a second control plane is not, and says so."""
    (folder / "private").mkdir(mode=0o700)
    path = folder / "private" / "xds.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    with running((*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", path)) as first:
        listening(first)
        with running((*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", path)) as second:
            assert second.process.wait(20) == 1
            assert f"xDS cannot listen on {path}: another program listens there" in second.output
        eventually(lambda: says(f"unix:{quote(str(path))}") == grpc.StatusCode.OK, "the first one goes on")
    with running(
        (*SERVE, *PORTS, "--run-dir", folder / "run", "--xds-socket", folder / "private" / ("x" * 108))
    ) as child:
        assert child.process.wait(20) == 1
        assert "at most 103 bytes" in child.output
