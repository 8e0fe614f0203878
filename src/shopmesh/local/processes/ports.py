"""Chooses ports for the programs of one machine."""

from __future__ import annotations

import random
import socket

from shopmesh.local.errors import StartError

LOOPBACK = "127.0.0.1"
# Below the ephemeral ranges of Linux (32768) and macOS (49152): a port from there can be taken by any outgoing
# connection between the moment it is chosen and the moment the program binds it.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS = 1_000


class Ports:
    """Hands out free ports on loopback, each once."""

    def __init__(self) -> None:
        self._reserved: set[int] = set()
        # Two instances of `shopmesh up` on one machine start at different ports.
        self._next = random.SystemRandom().randrange(_FIRST, _LAST)

    def reserve_free(self) -> int:
        """A port that nothing listens on. Raises StartError when a thousand in a row are taken."""
        for _ in range(_ATTEMPTS):
            port = self._next
            self._next = _FIRST if port + 1 >= _LAST else port + 1
            if port not in self._reserved and not is_taken(port):
                self._reserved.add(port)
                return port
        raise StartError(f"no free port on {LOOPBACK} between {_FIRST} and {_LAST}: stop something that listens")

    def reserve(self, port: int, purpose: str, option: str) -> int:
        """That port, or any free one for 0. Raises StartError when it is taken."""
        if port == 0:
            return self.reserve_free()
        if port in self._reserved or is_taken(port):
            free = f"; `{option} 0` takes a free one" if option.startswith("--") else ""
            raise StartError(
                f"port {port} ({purpose}) is taken: stop what listens on {LOOPBACK}:{port}, "
                f"or choose another with {option}{free}"
            )
        self._reserved.add(port)
        return port


def is_taken(port: int) -> bool:
    """Whether a listener on loopback could not be bound there now."""
    with socket.socket() as probe:
        # As servers do: a connection that lingers in TIME_WAIT does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
