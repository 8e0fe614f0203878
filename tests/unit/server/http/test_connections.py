"""Who makes room for a new connection: strangers first, then idle clients, and never a request of a trusted one."""

from __future__ import annotations

from shopmesh.server.http.connections import Connection, Connections, peer_of, trust


def admitted(connections: Connections, address: str, closed: list[str] | None = None, name: str = "") -> Connection:
    connection = connections.open(address)
    assert connection is not None
    if closed is not None:
        connection.close = lambda: closed.append(name)
    return connection


def trusted(connection: Connection, busy: bool = True) -> None:
    scope: dict[str, object] = {}
    connection.add_to(scope)
    trust(scope)
    connection.update_state(busy)


def test_the_oldest_stranger_makes_room() -> None:
    """A newcomer is never refused for the sake of those who say nothing."""
    closed: list[str] = []
    connections = Connections(3, 3)
    for name in "abc":
        admitted(connections, "192.0.2.1", closed, name)
    for _ in range(2):
        admitted(connections, "192.0.2.2")

    assert ["a", "b"] == closed
    assert 3 == len(connections)


def test_a_peer_makes_room_among_its_own() -> None:
    """Whoever comes with many connections takes none of the others'."""
    closed: list[str] = []
    connections = Connections(10, 2)
    admitted(connections, "192.0.2.1", closed, "other")
    for name in "abc":
        admitted(connections, "192.0.2.2", closed, name)

    assert ["a"] == closed


def test_trusted_clients_come_after_all_strangers() -> None:
    """Of those who share an address: first who showed no credentials, then who has no request under way."""
    closed: list[str] = []
    connections = Connections(3, 3)
    idle, busy, _ = (admitted(connections, "127.0.0.1", closed, name) for name in ("idle", "busy", "stranger"))
    trusted(idle, busy=False)
    trusted(busy)
    for _ in range(2):
        trusted(admitted(connections, "127.0.0.1"))

    assert ["stranger", "idle"] == closed
    assert connections.open("127.0.0.1") is None
    busy.update_state(busy=False)
    assert connections.open("127.0.0.1") is not None
    assert ["stranger", "idle", "busy"] == closed


def test_what_has_ended_does_not_count() -> None:
    """Also when it says afterwards that something is under way."""
    connections = Connections(10, 10)
    connection = admitted(connections, "127.0.0.1")
    connection.remove()
    connection.remove()
    trusted(connection)

    assert 0 == len(connections)
    assert not connections.evict()


def test_hosts_that_choose_their_own_addresses_are_one_peer() -> None:
    """A /64 of IPv6 is one host's; an IPv4 address is the same in both notations."""
    assert peer_of("2001:db8::1") == peer_of("2001:db8::ffff:2") != peer_of("2001:db8:0:1::1")
    assert peer_of("127.0.0.1") == peer_of("::ffff:127.0.0.1") != peer_of("127.0.0.2")
    assert peer_of("fe80::1%eth0") == peer_of("fe80::2%eth0")
