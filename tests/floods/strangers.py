"""What strangers send: raw bytes over sockets of their own, without credentials or with the id of a known key."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
PIECE = b"x" * (64 * 1024)


@dataclass(frozen=True)
class Door:
    """A port that strangers reach; `context` where it speaks TLS."""

    port: int
    path: str
    ask: Callable[[], bool]
    """Asks as an honest client, on a new connection; whether it was answered."""
    context: ssl.SSLContext | None = None

    @property
    def many(self) -> int:
        """More connections than are allowed; a handshake of TLS takes this test as long as the server."""
        return 2000 if self.context is None else 500

    def connect(self) -> socket.socket:
        plain = self.connect_plain()
        return plain if self.context is None else self.context.wrap_socket(plain)

    def connect_plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


class Memory:
    """The resident memory of a process, in MiB, against what it was."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        # From now on VmHWM is the peak since now: https://docs.kernel.org/filesystems/proc.html
        (self._folder / "clear_refs").write_text("5")
        self.before = self.now

    @property
    def now(self) -> float:
        return self._read("VmRSS")

    @property
    def most_added(self) -> float:
        """The most that there ever was above what it was."""
        return self._read("VmHWM") - self.before

    def is_back(self) -> bool:
        """Whether it is what it was, but for what an allocator may keep."""
        return self.now - self.before <= 16

    def _read(self, name: str) -> float:
        line = next(one for one in (self._folder / "status").read_text().splitlines() if one.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024


def head(door: Door, headers: str = "", length: int | None = None) -> bytes:
    """A request without its body; `headers` are further ones, each with its line end."""
    declared = "" if length is None else f"content-length: {length}\r\n"
    host = f"host: 127.0.0.1:{door.port}\r\ncontent-type: application/json\r\n"
    return f"POST {door.path} HTTP/1.1\r\n{host}{headers}{declared}\r\n".encode()


def known_key(key: str) -> str:
    """Headers as the owner of that key would sign them today, but for the signature."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{key}/{now[:8]}/us-east-1/appmesh/aws4_request"
    signed = f"Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    return f"x-amz-date: {now}\r\nauthorization: AWS4-HMAC-SHA256 {signed}\r\n"


def pour(door: Door, first: bytes, piece: bytes, most: int) -> int:
    """Sends `first`, and then pieces until it is refused or `most` bytes are sent; how many were."""
    sent = 0
    with contextlib.suppress(OSError), door.connect() as connection:
        connection.sendall(first)
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
        connection.recv(4096)
    return sent


def at_once(count: int, attack: Callable[[], object]) -> None:
    with ThreadPoolExecutor(count) as pool:
        for one in [pool.submit(attack) for _ in range(count)]:
            one.result()


@contextlib.contextmanager
def holding(count: int, connect: Callable[[], socket.socket], say: bytes = b"") -> Iterator[list[socket.socket]]:
    """Opens connections one after the other, says something on each, and holds them for a `with` block."""
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):
                connection = connect()
                held.append(connection)
                if say:
                    connection.sendall(say)
        yield held
    finally:
        for connection in held:
            connection.close()
