"""Sign-in to the console: a code that works once becomes a cookie that expires.

    Codes           minted for an access key by a signed request; each works once, until it expires
    SessionCookies  <access key>.<expiry>.<random>.<MAC>, under a key that is derived from the secret of that access key
    WrongCodes      counts wrong codes, so that nobody can try many

A cookie needs no state: restarts and other replicas accept it, and it ends with its access key. A browser sends it to
every port of the host, so another program on the machine can get it. Therefore a session is the cookie and a page token
together: the page keeps that in a storage which belongs to its own port. Clock and randomness are passed in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SESSION_SECONDS = 12 * 3600
LONGEST_CODE_SECONDS = 600
MOST_CODES = 64
"""Codes that are valid at the same time; one more, and the one that expires first is forgotten."""
LONGEST_CODE = 512
"""Characters of a code, with the name of the replica that minted it."""
LONGEST_VALUE = 512
"""Characters of the value of a cookie."""
WRONG_CODES, WRONG_CODES_SECONDS = 10, 60.0
"""So many wrong codes are looked at in so many seconds."""

_PURPOSE = b"shopmesh console session v1"
_VALUE = re.compile(
    r"(?P<signed>(?P<key>[A-Za-z0-9_-]+)\.(?P<expires>[0-9]{1,12})\.[A-Za-z0-9_-]{1,64})\.(?P<mac>[A-Za-z0-9_-]{43})"
)


def _random_text() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Code:
    """A code and the time at which it expires, in seconds since 1970."""

    text: str
    expires: float


class Codes:
    """The codes of one replica that were minted and not used yet."""

    def __init__(self, clock: Callable[[], float], random_text: Callable[[], str] = _random_text) -> None:
        self._clock = clock
        self._random_text = random_text
        self._codes: dict[bytes, tuple[str, float]] = {}
        """Hash of a code → access key and expiry: looking up a hash tells nothing of a code by the time it takes."""

    def mint(self, access_key: str, seconds: float, replica: str = "") -> Code:
        """A new code, valid for so many seconds.

        `replica` becomes a part of it, so that another replica knows where to trade it; empty: there is no other.
        """
        self._forget_expired()
        while len(self._codes) >= MOST_CODES:
            del self._codes[min(self._codes, key=lambda one: self._codes[one][1])]
        random = self._random_text()
        code = Code(f"{random}.{replica}" if replica else random, self._clock() + seconds)
        self._codes[_hash(code.text)] = (access_key, code.expires)
        return code

    def redeem(self, text: str) -> str | None:
        """The access key that a code was minted for; None for a wrong, expired or used one."""
        self._forget_expired()
        found = self._codes.pop(_hash(text), None)
        return None if found is None else found[0]

    def _forget_expired(self) -> None:
        now = self._clock()
        self._codes = {key: value for key, value in self._codes.items() if value[1] > now}


def replica_of(code: str) -> str:
    """The name of the replica that minted a code; empty where there is only one."""
    return code.partition(".")[2]


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a browser gets: the value of the cookie, and the token that its page keeps."""

    cookie: str
    page_token: str


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """Who is signed in, and until when in seconds since 1970."""

    access_key: str
    expires: float


class SessionCookies:
    """Issues and verifies cookies and their page tokens; `credentials` maps access key ids to secrets."""

    def __init__(
        self,
        credentials: Mapping[str, str],
        clock: Callable[[], float],
        random_text: Callable[[], str] = _random_text,
    ) -> None:
        self._keys = {identity: _derive(secret) for identity, secret in credentials.items()}
        self._clock = clock
        self._random_text = random_text

    @property
    def is_open(self) -> bool:
        """Whether nobody has to sign in, because requests are not authenticated at all."""
        return not self._keys

    def issue(self, access_key: str) -> SignIn | None:
        """A new cookie and its page token; None when there is no such access key."""
        if access_key not in self._keys:
            return None
        expires = math.floor(self._clock()) + SESSION_SECONDS
        signed = f"{_encode(access_key.encode())}.{expires}.{self._random_text()}"
        value = f"{signed}.{self._mac(access_key, signed)}"
        return SignIn(value, self._mac(access_key, f"page token {value}"))

    def verify(self, value: str, page_token: str) -> ConsoleSession | None:
        """The session of a cookie and its page token.

        None for those that were not issued together for a present access key, and for those that have expired.
        """
        found = _VALUE.fullmatch(value) if len(value) <= LONGEST_VALUE else None
        if found is None:
            return None
        try:
            access_key = _decode(found["key"]).decode()
        except ValueError:
            return None
        if access_key not in self._keys:
            return None
        mac = self._mac(access_key, found["signed"])
        token = self._mac(access_key, f"page token {value}")
        is_ours = hmac.compare_digest(mac, found["mac"]) & hmac.compare_digest(token.encode(), page_token.encode())
        if not is_ours or int(found["expires"]) <= self._clock():
            return None
        return ConsoleSession(access_key, float(found["expires"]))

    def _mac(self, access_key: str, signed: str) -> str:
        return _encode(hmac.digest(self._keys[access_key], signed.encode(), "sha256"))


class WrongCodes:
    """How many more wrong codes are looked at; a right one is never refused because of others' wrong ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(WRONG_CODES)
        self._at = clock()

    def allow(self) -> bool:
        """Counts one; False when there were too many."""
        now = self._clock()
        self._left = min(WRONG_CODES, self._left + max(0.0, now - self._at) * WRONG_CODES / WRONG_CODES_SECONDS)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Takes the last one back: it was a right one."""
        self._left = min(WRONG_CODES, self._left + 1)


def _derive(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
