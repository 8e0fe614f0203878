"""The limits of an HTTP listener for unknown clients, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of one listener. Times are in seconds."""

    connections: int = 1024
    """Connections in all. A control plane has a few dozen clients; an untrusted connection costs up to 30 KiB."""

    connections_per_peer: int = 512
    """Connections of one address, so that half is left for others. Clients behind a kube-proxy share one address."""

    requests: int = 512
    """Requests in progress, also long polls and event streams; fewer than connections, so some are left for probes."""

    head_bytes: int = 16 * 1024
    """Request line and headers. The longest signed request has 2 KiB; a token may have 8."""

    headers: int = 100
    """AWS's clients send a dozen."""

    unverified_bytes: int = 24 * 1024 * 1024
    """Bytes of all bodies whose sender is not verified yet: the largest transaction and half another."""

    handshake_seconds: float = 5.0
    """For the TLS handshake, which takes three packets."""

    first_byte_seconds: float = 5.0
    """From the connection to the first byte: clients connect when they have a request."""

    head_seconds: float = 10.0
    """From the first byte of a request to the end of its headers, which fit into a dozen packets."""

    idle_seconds: float = 5.0
    """Between two requests on one connection."""

    discard_seconds: float = 5.0
    """For reading what a client still sends after the response, so that it sees the response and no reset."""

    write_seconds: float = 30.0
    """Without progress of a response: the client does not read it."""

    close_seconds: float = 5.0
    """For sending the rest of a response on a connection that is being closed."""


API_LIMITS = HttpLimits()

WEBHOOK_LIMITS = HttpLimits(connections=256, connections_per_peer=192)
"""For the webhook: its clients are the cluster's API servers, and TLS makes a connection ten times as large."""
