"""Light simulated proxies: one thread, epoll, HTTP/2 frames by hand, so that it is the server that is measured.

A client in Python's grpc costs 160 to 230 µs a response, one of these a tenth of it.
https://www.rfc-editor.org/rfc/rfc9113#name-frame-format
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterable

from envoy.config.core.v3.base_pb2 import Extension, Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.xds.node import ProxyNode
from shopmesh.xds.resources import TYPE_URLS

_DATA, _HEADERS, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 4, 6, 8
_END_HEADERS, _ACK = 4, 1
_LARGEST_FRAME = 16_384
_ASKED_FOR = ("clusters", "endpoints", "listeners", "routes")
"""The types that an Envoy without TLS asks for."""
_WINDOW = 2**30


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header without compression or indexing; lengths below 127."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


_PATH = b"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_FIRST_BYTES = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + _frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, _WINDOW))
    + _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW))
)


def _greeting(token: str | None) -> bytes:
    """What opens a connection and its stream; `token` is what a proxy authenticates with."""
    fields = {b":method": b"POST", b":scheme": b"http", b":path": _PATH, b":authority": b"xds", b"te": b"trailers"}
    fields[b"content-type"] = b"application/grpc"
    if token is not None:
        fields[b"authorization"] = f"Bearer {token}".encode()
    block = b"".join(_literal(name, value) for name, value in fields.items())
    return _FIRST_BYTES + _frame(_HEADERS, _END_HEADERS, 1, block)


def message(request: DeltaDiscoveryRequest) -> bytes:
    """A gRPC message in DATA frames of stream 1."""
    body: bytes = request.SerializeToString()
    data = struct.pack(">BI", 0, len(body)) + body
    return b"".join(
        _frame(_DATA, 0, 1, data[begin : begin + _LARGEST_FRAME]) for begin in range(0, len(data), _LARGEST_FRAME)
    )


def envoy_node(proxy: ProxyNode, extensions: int) -> Node:
    """The node as Envoy sends it: with 516 extensions it is 61 kB."""
    document = proxy.to_document()
    node = Node(id=document["id"], cluster=document["cluster"])
    node.metadata.update(document["metadata"])
    names = (f"envoy.filters.http.extension_number_{number}" for number in range(extensions))
    node.extensions.extend(
        Extension(name=name, category="envoy.filters.http", type_urls=[f"{name}.v3.Config"]) for name in names
    )
    return node


class Client:
    """One stream on one connection: asks for all, acknowledges all."""

    __slots__ = ("_data", "_fleet", "_input", "answered", "closed", "sock")

    def __init__(self, fleet: Fleet, sock: socket.socket, first: bytes) -> None:
        self._fleet = fleet
        self._input = b""
        self._data = b""
        self.answered: set[str] = set()
        self.closed = False
        self.sock = sock
        self.sock.sendall(first)
        self.sock.setblocking(False)

    def readable(self) -> None:
        try:
            received = self.sock.recv(1 << 16)
            while isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
                received += self.sock.recv(1 << 16)
        except ssl.SSLWantReadError:
            return
        except OSError:
            received = b""
        if not received:
            self.closed = True
            return
        data = self._input + received
        position, answers = 0, []
        while len(data) - position >= 9:
            length = int.from_bytes(data[position : position + 3], "big")
            if len(data) - position - 9 < length:
                break
            kind, flags = data[position + 3], data[position + 4]
            payload = data[position + 9 : position + 9 + length]
            position += 9 + length
            if kind == _DATA:
                self._data += payload
            elif kind == _SETTINGS and not flags & _ACK:
                answers.append(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                answers.append(_frame(_PING, _ACK, 0, payload))
        self._input = data[position:]
        while len(self._data) >= 5:
            length = int.from_bytes(self._data[1:5], "big")
            if len(self._data) - 5 < length:
                break
            body, self._data = self._data[5 : 5 + length], self._data[5 + length :]
            answers.append(self._fleet.answer(self, body))
        if answers:
            self.sock.sendall(b"".join(answers))


def _context() -> ssl.SSLContext:
    """It trusts every server: that costs the client nothing, and the server is what is measured."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


class Fleet:
    """Many clients on one epoll. Responses that are alike are parsed once, and answered with the same bytes."""

    def __init__(self, port: int, token: str | None = None, tls: bool = False) -> None:
        self._address = ("127.0.0.1", port)
        self._greeting = _greeting(token)
        self._context = _context() if tls else None
        self._epoll = select.epoll()
        self._by_number: dict[int, Client] = {}
        self._answers: dict[bytes, tuple[str, bytes]] = {}
        self.responses = 0

    @property
    def complete(self) -> int:
        """Clients that have been answered for all four types."""
        return sum(len(client.answered) == len(_ASKED_FOR) for client in self._by_number.values())

    @property
    def lost(self) -> int:
        return sum(client.closed for client in self._by_number.values())

    @property
    def sockets(self) -> list[socket.socket]:
        return [client.sock for client in self._by_number.values()]

    def connect(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            first = message(DeltaDiscoveryRequest(node=node, type_url=TYPE_URLS["clusters"]))
            client = Client(self, self._open(), self._greeting + first)
            self._by_number[client.sock.fileno()] = client
            self._epoll.register(client.sock, select.EPOLLIN)

    def _open(self) -> socket.socket:
        sock = socket.create_connection(self._address)
        return sock if self._context is None else self._context.wrap_socket(sock)

    def run(self, until: Callable[[], bool], tick: float = 0.05) -> None:
        while not until():
            for number, _ in self._epoll.poll(tick, 512):
                client = self._by_number[number]
                client.readable()
                if client.closed:
                    self._epoll.unregister(number)

    def close(self) -> None:
        for client in self._by_number.values():
            client.sock.close()
        self._epoll.close()

    def answer(self, client: Client, body: bytes) -> bytes:
        self.responses += 1
        found = self._answers.get(body)
        if found is None:
            if len(self._answers) > 10_000:
                self._answers.clear()
            found = self._answers[body] = self._prepared(body)
        type_url, answer = found
        if type_url in client.answered:
            return answer
        client.answered.add(type_url)
        return answer + self._follow_up(type_url, body)

    def _prepared(self, body: bytes) -> tuple[str, bytes]:
        response = DeltaDiscoveryResponse.FromString(body)
        ack = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        return response.type_url, message(ack)

    def _follow_up(self, type_url: str, body: bytes) -> bytes:
        """As Envoy: endpoints of the clusters, then listeners, then the route tables."""
        if type_url == TYPE_URLS["clusters"]:
            names = [one.name for one in DeltaDiscoveryResponse.FromString(body).resources]
            endpoints = [name for name in names if name.startswith("cds_egress_") and "service-" in name]
            return message(
                DeltaDiscoveryRequest(type_url=TYPE_URLS["endpoints"], resource_names_subscribe=endpoints)
            ) + message(DeltaDiscoveryRequest(type_url=TYPE_URLS["listeners"]))
        if type_url == TYPE_URLS["listeners"]:
            tables = ["rds_egress_http_15001", "rds_ingress_http_5000"]
            return message(DeltaDiscoveryRequest(type_url=TYPE_URLS["routes"], resource_names_subscribe=tables))
        return b""
