"""The connections of one listener, bounded in all and for each peer: a new one replaces the least useful one.

A peer is an address, which many clients may share: the processes of a laptop, or all that comes through a kube-proxy.
So a bound that refused new connections would let one silent client lock out the others at its address. Instead the
connection that has been untrusted for longest is closed, then the trusted one that has been idle for longest; never
one whose request is being answered.
"""

from __future__ import annotations

import enum
import ipaddress
from collections import defaultdict
from collections.abc import Callable
from itertools import chain

from starlette.types import Scope

_SCOPE_KEY = "shopmesh.connection"


class ConnectionState(enum.Enum):
    """How useful a connection is."""

    STRANGER = "it has shown no credentials"
    IDLE = "it has shown credentials, and has no request under way"
    BUSY = "a request with credentials is being answered on it"


class Connection:
    """One accepted connection. `close` ends it at once, whatever its state."""

    __slots__ = ("_connections", "close", "peer", "removed", "state", "trusted")

    def __init__(self, connections: Connections, peer: str) -> None:
        self._connections = connections
        self.peer = peer
        self.state = ConnectionState.STRANGER
        self.trusted = False
        """Whether it carried a request of a client that may change the mesh."""
        self.removed = False
        """Whether it is not counted any more, because it has ended or is ending."""
        self.close: Callable[[], object] = _no_op

    def update_state(self, busy: bool) -> None:
        """Records whether a request is in progress."""
        state = (ConnectionState.BUSY if busy else ConnectionState.IDLE) if self.trusted else ConnectionState.STRANGER
        if state is not self.state and not self.removed:
            self._connections.move(self, state)

    def remove(self) -> None:
        """Records its end; may be called more than once."""
        self._connections.remove(self)
        # Its `close` refers to it: without this its memory would wait for the garbage collector.
        self.close = _no_op

    def add_to(self, scope: Scope) -> None:
        """Lets the application declare with `trust` that it has authenticated a request."""
        scope[_SCOPE_KEY] = self


def _no_op() -> None:
    """The `close` of a connection that is not open."""


def trust(scope: Scope) -> None:
    """Declares that the sender of a request may change the mesh: untrusted connections cannot replace its own."""
    connection = scope.get(_SCOPE_KEY)
    if isinstance(connection, Connection):
        connection.trusted = True
        connection.update_state(busy=True)


class _ConnectionGroup:
    """Connections by state, in the order in which they entered it."""

    def __init__(self) -> None:
        self._by_state: dict[ConnectionState, dict[Connection, None]] = {state: {} for state in ConnectionState}

    def __len__(self) -> int:
        return sum(map(len, self._by_state.values()))

    def add(self, connection: Connection) -> None:
        self._by_state[connection.state][connection] = None

    def discard(self, connection: Connection) -> None:
        self._by_state[connection.state].pop(connection, None)

    def least_useful(self) -> Connection | None:
        candidates = chain(self._by_state[ConnectionState.STRANGER], self._by_state[ConnectionState.IDLE])
        return next(candidates, None)


class Connections:
    """All connections of a listener, at most `most`, and at most `most_per_peer` of one address."""

    def __init__(self, most: int, most_per_peer: int, on_evicted: Callable[[str], None] = lambda _: None) -> None:
        """`on_evicted` is called with the peer of each connection that was replaced."""
        self._most = most
        self._most_per_peer = most_per_peer
        self._evicted = on_evicted
        self._all = _ConnectionGroup()
        self._by_peer: dict[str, _ConnectionGroup] = defaultdict(_ConnectionGroup)

    def __len__(self) -> int:
        return len(self._all)

    def open(self, address: str) -> Connection | None:
        """Adds a new connection, for which another may be closed; None when all others are in use."""
        peer = peer_of(address)
        for group, most in ((self._by_peer.get(peer), self._most_per_peer), (self._all, self._most)):
            if group is not None and len(group) >= most and not self._evict_from(group):
                return None
        connection = Connection(self, peer)
        self._all.add(connection)
        self._by_peer[peer].add(connection)
        return connection

    def evict(self) -> bool:
        """Closes the least useful connection; returns whether there was one."""
        return self._evict_from(self._all)

    def move(self, connection: Connection, state: ConnectionState) -> None:
        groups = (self._all, self._by_peer[connection.peer])
        for group in groups:
            group.discard(connection)
        connection.state = state
        for group in groups:
            group.add(connection)

    def remove(self, connection: Connection) -> None:
        if connection.removed:
            return
        connection.removed = True
        self._all.discard(connection)
        group = self._by_peer[connection.peer]
        group.discard(connection)
        if not len(group):
            del self._by_peer[connection.peer]

    def _evict_from(self, group: _ConnectionGroup) -> bool:
        connection = group.least_useful()
        if connection is None:
            return False
        self.remove(connection)
        connection.close()
        self._evicted(connection.peer)
        return True


def peer_of(address: str) -> str:
    """The group whose connections count together: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
