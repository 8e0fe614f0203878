"""Which streams a service holds: a bounded number, of each proxy too, and only with the right to be that proxy."""

from __future__ import annotations

from collections import Counter

from envoy.config.core.v3.base_pb2 import Node

from shopmesh.server.grpc.sessions import Principal, Status, StreamError
from shopmesh.xds.node import Identity, NodeError, ProxyNode, parse

MOST_STREAMS = 10_000
"""For each gRPC service that proxies call."""

MOST_STREAMS_OF_A_PROXY = 256
"""For each service. More than one, because a proxy may reconnect before its lost stream has ended, and because all
proxies of a node whose bootstraps name no instance count as one."""


class OpenStreams:
    """Counts the open streams of one service, of all proxies and of each; one more than is allowed is refused."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self._open = 0
        self._of_proxies: Counter[Identity] = Counter()

    def open(self, principal: Principal | None) -> Admission:
        """Counts one stream until the admission is closed; raises `StreamError` when there are too many."""
        if self._open >= self._most:
            raise _too_many(f"{self._most} streams are open already; start another control plane")
        self._open += 1
        return Admission(self, principal)

    def count(self, proxy: Identity) -> None:
        """Counts one stream of that proxy likewise, so that one proxy cannot use up all streams."""
        if self._of_proxies[proxy] >= MOST_STREAMS_OF_A_PROXY:
            raise _too_many(f"{proxy.instance} has {MOST_STREAMS_OF_A_PROXY} streams open already; end one")
        self._of_proxies[proxy] += 1

    def release(self, proxy: Identity | None) -> None:
        """Counts one stream less; `proxy` is None for one that had not named its node yet."""
        self._open -= 1
        if proxy is not None:
            self._of_proxies[proxy] -= 1
            if not self._of_proxies[proxy]:
                del self._of_proxies[proxy]


class Admission:
    """One stream among those that are counted, from the moment it opens; its first message names its proxy."""

    __slots__ = ("_principal", "_streams", "identity", "node")

    def __init__(self, streams: OpenStreams, principal: Principal | None) -> None:
        self._streams = streams
        self._principal = principal
        self.node: ProxyNode | None = None
        self.identity: Identity | None = None

    def admit(self, node: Node) -> ProxyNode:
        """Returns the proxy that the first message names; raises `StreamError` unless the client may be it."""
        try:
            proxy = parse(node)
        except NodeError as error:
            raise StreamError(str(error)) from None
        _require_right(self._principal, proxy)
        self._streams.count(proxy.identity)
        self.node, self.identity = proxy, proxy.identity
        return proxy

    def require_right(self) -> None:
        """Raises `StreamError` if the client may not be the proxy any more that it was admitted as."""
        if self.node is not None:
            _require_right(self._principal, self.node)

    @property
    def has_right(self) -> bool:
        """Whether the client may still be the proxy that it was admitted as."""
        return self._principal is None or self.node is None or self._principal.denial(self.node) is None

    def close(self) -> None:
        self._streams.release(self.identity)


def _require_right(principal: Principal | None, node: ProxyNode) -> None:
    if principal is not None and (denial := principal.denial(node)) is not None:
        raise denial


def _too_many(message: str) -> StreamError:
    return StreamError(message, Status.RESOURCE_EXHAUSTED)
