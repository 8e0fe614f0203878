"""The control socket: bounded questions, one answer each."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from shopmesh.local.control import ControlReply, ControlRequest, control_server, send
from shopmesh.local.errors import ControlError, StartError


def with_server(path: Path, work: Callable[[], None]) -> list[ControlRequest]:
    """Runs `work` in a thread while a server answers; what it was asked."""
    asked: list[ControlRequest] = []

    async def answer(request: ControlRequest) -> ControlReply:
        asked.append(request)
        if request.node == "unknown-vn":
            raise StartError("no manifest has unknown-vn")
        return ControlReply((f"{request.node} runs",), ("it is weighted",))

    async def story() -> None:
        async with control_server(path, answer):
            assert path.stat().st_mode & 0o777 == 0o600
            await asyncio.to_thread(work)

    asyncio.run(story())
    assert not path.exists()
    return asked


def test_a_request_is_answered(tmp_path: Path) -> None:
    """What was done and warned of comes back, and only the user may open the socket."""
    path = tmp_path / "control.sock"
    replies: list[ControlReply] = []
    asked = with_server(path, lambda: replies.append(send(path, ControlRequest("start", "product-v2-vn", 2))))

    assert asked == [ControlRequest("start", "product-v2-vn", 2)]
    assert replies == [ControlReply(("product-v2-vn runs",), ("it is weighted",))]


def test_a_refusal_is_raised_with_its_message(tmp_path: Path) -> None:
    """The reason crosses the socket."""
    path = tmp_path / "control.sock"

    def work() -> None:
        with pytest.raises(ControlError, match="no manifest has unknown-vn"):
            send(path, ControlRequest("start", "unknown-vn"))

    with_server(path, work)


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"[]\n",
        b"not json\n",
        b'{"command": "destroy", "node": "x"}\n',
        b'{"command": "start", "node": 7}\n',
        b'{"command": "start", "node": "x", "instance": 51}\n',
        b"\xff\n",
        b"",
    ],
)
def test_nonsense_is_answered_with_an_error(tmp_path: Path, line: bytes) -> None:
    """Whatever is sent, one line comes back, and the server lives on."""
    path = tmp_path / "control.sock"

    def work() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            assert json.loads(connection.makefile().readline())["error"]
        assert send(path, ControlRequest("stop", "product-vn")).error is None

    assert with_server(path, work) == [ControlRequest("stop", "product-vn")]


def test_a_line_without_end_is_not_collected_for_ever(tmp_path: Path) -> None:
    """After 64 KiB without a line's end the connection is closed."""
    path = tmp_path / "control.sock"

    def work() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            try:
                connection.sendall(b"x" * 300_000)
                assert connection.recv(1) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass

    assert with_server(path, work) == []


@pytest.mark.parametrize("left", [False, True])
def test_nobody_there_is_one_clear_line(tmp_path: Path, left: bool) -> None:
    """Without a socket, or with one that a killed run left, the message says what to start."""
    path = tmp_path / "control.sock"
    if left:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))

    with pytest.raises(ControlError, match=r"`shopmesh up` does not run in .*: start it"):
        send(path, ControlRequest("stop", "product-vn"))
