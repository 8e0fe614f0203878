"""What strangers can take of a listener that speaks HTTP: each limit a value, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of one listener. Times are in seconds."""

    connections: int = 1024
    """In all. A control plane has a few dozen clients; each connection of a stranger costs up to 30 KiB."""

    connections_per_peer: int = 512
    """Of one address, so that half is left for all others. Many clients may share one: a laptop's, a kube-proxy's."""

    requests: int = 512
    """Answered at once, long polls and event streams included: there is always room for connections of probes."""

    head_bytes: int = 16 * 1024
    """Request line and headers. The longest signed request has 2 KiB; a token may have 8."""

    headers: int = 100
    """AWS's clients send a dozen."""

    unverified_bytes: int = 24 * 1024 * 1024
    """Of all bodies together whose sender is not verified yet: the largest transaction, and half another."""

    handshake_seconds: float = 5.0
    """For TLS: it takes three packets."""

    first_byte_seconds: float = 5.0
    """From the connection to the first byte: a client connects because it has a request."""

    head_seconds: float = 10.0
    """From the first byte of a request to the end of its headers, which fit into a dozen packets."""

    idle_seconds: float = 5.0
    """Between two requests on one connection."""

    discard_seconds: float = 5.0
    """For what a client goes on sending after it was answered, so that it sees the answer and no broken connection."""

    write_seconds: float = 30.0
    """Without any progress of an answer: the client does not read it."""

    close_seconds: float = 5.0
    """For a connection that is being closed to take the rest of its answer."""


API_LIMITS = HttpLimits()

WEBHOOK_LIMITS = HttpLimits(connections=256, connections_per_peer=192)
"""For the webhook: its clients are the API servers of the cluster, and TLS makes a connection ten times as large."""
