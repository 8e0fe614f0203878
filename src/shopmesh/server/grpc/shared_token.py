"""The token that proxies must send: one for all, in a file, so that it can be changed at run time."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path

from shopmesh.server.config import ConfigError
from shopmesh.server.grpc.sessions import Call, Status, StreamError

log = logging.getLogger(__name__)

SHORTEST = 16
LONGEST = 8192
"""A longer one would not fit into the headers that the server accepts."""
SCHEME = "Bearer "
MISSING = "no token came with this call: write the proxy's bootstrap with --xds-token-file"


def read_token(path: Path) -> str:
    """The token, which is the whole content of a file; raises ConfigError, which never quotes it."""
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the token file {path}: {error.strerror}") from error
    if raw.endswith(b"\n"):
        # Envoy sends the file unchanged, and a header cannot contain a line feed: no proxy could ever connect.
        raise ConfigError(f"the token file {path} ends with a line feed: write it without one (printf %s, not echo)")
    if not SHORTEST <= len(raw) <= LONGEST or any(not 0x21 <= byte <= 0x7E for byte in raw):
        raise ConfigError(
            f"the token file {path} holds {min(len(raw), LONGEST)} bytes; a token is {SHORTEST} to {LONGEST} printable "
            "ASCII characters without spaces (such as `openssl rand -hex 32 | tr -d '\\n'` writes)"
        )
    return raw.decode("ascii")


class SharedToken:
    """Refuses every call without the right `authorization: Bearer …` (`sessions.Authenticate`).

    The file is read for each call, because a stream stays open for hours and a change must act at once.
    """

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the file has no valid token."""
        read_token(path)
        self._path = path

    async def __call__(self, call: Call) -> None:
        try:
            token = read_token(self._path)
        except ConfigError as error:
            log.error("proxies cannot connect: %s", error)
            raise StreamError("the control plane cannot read its token file; see its log", Status.UNAVAILABLE) from None
        if (problem := _problem(call.authorization, token)) is not None:
            raise StreamError(problem, Status.UNAUTHENTICATED)


def _problem(brought: bytes | None, token: str) -> str | None:
    if brought is None:
        return MISSING
    if not hmac.compare_digest(brought, f"{SCHEME}{token}".encode()):
        return "the token that came with this call is not the control plane's: give the proxy the same token file"
    return None
