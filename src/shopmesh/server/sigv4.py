"""AWS Signature Version 4, verified: who knows the secret key of a configured access key may speak.

    Authorization: AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/appmesh/aws4_request, SignedHeaders=…, Signature=…

Only the header form is taken, not presigned URLs. The body's hash is always computed here, so it is always covered.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote as percent_encode

from botocore.utils import normalize_url_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopmesh.appmesh import protocol
from shopmesh.appmesh.errors import Refusal, Unauthenticated
from shopmesh.appmesh.validate import quote
from shopmesh.server.api import deliver
from shopmesh.server.body import ClientGone, read

ALGORITHM = "AWS4-HMAC-SHA256"
# "In most cases, a request must reach AWS within five minutes of the time stamp in the request."
WINDOW_SECONDS = 5 * 60
LONGEST_HEADER = 8192
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=([^\s,]+), *SignedHeaders=([^\s,]+), *Signature=([0-9a-f]{{64}})"
)
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")


class Authenticated:
    """ASGI middleware: refuses what is not signed with one of `credentials` (access key → secret key).

    No credentials: no check. `open_paths` are served to everyone.
    """

    def __init__(
        self,
        app: ASGIApp,
        credentials: Mapping[str, str],
        region: str,
        service: str = "appmesh",
        open_paths: Collection[str] = ("/healthz", "/readyz"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self._verifier = Verifier(credentials, region, service)
        self._checks = bool(credentials)
        self._open_paths = frozenset(open_paths)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not self._checks or scope.get("path") in self._open_paths:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._checked(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read(scope, receive)
            self._verifier.verify(Signed.of(scope, body), self._clock())
        except ClientGone:
            return
        except Refusal as refusal:
            await deliver(protocol.refuse_with(refusal), send)
            return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature may cover: method, raw path and query, headers by lower-case name in the order given, body."""

    method: str
    raw_path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> Signed:
        headers: dict[str, tuple[str, ...]] = {}
        for raw_name, raw_value in scope["headers"]:
            name = raw_name.decode("latin-1")
            headers[name] = (*headers.get(name, ()), raw_value.decode("latin-1"))
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        return cls(scope["method"], path, query, headers, body)


class Verifier:
    """Compares signatures for one region and service; holds the secrets and shows them to nobody."""

    def __init__(self, credentials: Mapping[str, str], region: str, service: str) -> None:
        self._credentials = dict(credentials)
        self._scope = (region, service, "aws4_request")

    def verify(self, request: Signed, now: float) -> str:
        """The access key that signed; raises Unauthenticated with AWS's code for what is wrong."""
        claim = _claim(request)
        key, date, *scope = claim.credential.rsplit("/", 4) if claim.credential.count("/") >= 4 else ("", "")
        if not scope:
            raise _incomplete("Credential must be <access key>/<date>/<region>/<service>/aws4_request")
        if tuple(scope) != self._scope:
            expected = "/".join(self._scope)
            raise Unauthenticated(f"the credential's scope is {quote('/'.join(scope))}, expected {expected}")
        timestamp = _timestamp(request)
        _require_recent(timestamp, date, now)
        secret = self._credentials.get(key)
        if secret is None:
            raise Unauthenticated(
                "the access key is not known here; use one that the control plane is configured with",
                code="UnrecognizedClientException",
            )
        expected = signature(request, claim.signed_headers, secret, timestamp, (date, *self._scope))
        if not hmac.compare_digest(expected, claim.signature):
            raise Unauthenticated(
                "the signature does not match the request; check the secret key, and that nothing between "
                "client and control plane changes path, query, signed headers or body"
            )
        return key


@dataclass(frozen=True, slots=True)
class _Claim:
    credential: str
    signed_headers: tuple[str, ...]
    signature: str


def signature(
    request: Signed, signed_headers: Collection[str], secret: str, timestamp: str, scope: Collection[str]
) -> str:
    """The signature, in hex, that a request with this secret must have; `scope` is date, region, service, ending."""
    canonical = "\n".join(
        (
            request.method,
            # Encoded once by the client for the wire, and once more for signing, but for S3.
            percent_encode(normalize_url_path(request.raw_path), safe="/~"),
            _canonical_query(request.query),
            *(f"{name}:{_canonical_value(request.headers.get(name, ()))}" for name in signed_headers),
            "",
            ";".join(signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = "\n".join((ALGORITHM, timestamp, "/".join(scope), digest))
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def sign(request: Signed, key: str, secret: str, region: str, now: float, service: str = "appmesh") -> dict[str, str]:
    """The headers that a request needs beside its own, all of which are signed; `host` must be one of them."""
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = (timestamp[:8], region, service, "aws4_request")
    headers = {**request.headers, "x-amz-date": (timestamp,)}
    names = sorted(headers)
    signed = signature(replace(request, headers=headers), names, secret, timestamp, scope)
    credential = f"Credential={key}/{'/'.join(scope)}, SignedHeaders={';'.join(names)}"
    return {"x-amz-date": timestamp, "authorization": f"{ALGORITHM} {credential}, Signature={signed}"}


def _claim(request: Signed) -> _Claim:
    given = request.headers.get("authorization", ())
    if not given:
        raise Unauthenticated(
            "the request is not signed; configure the client with an access key of the control plane",
            code="MissingAuthenticationTokenException",
        )
    if len(given) > 1 or len(given[0]) > LONGEST_HEADER:
        raise _incomplete("one Authorization header is allowed, and it is short")
    found = _AUTHORIZATION.fullmatch(given[0].strip())
    if found is None:
        raise _incomplete(f"the Authorization header must be {ALGORITHM} Credential=…, SignedHeaders=…, Signature=…")
    names = tuple(found[2].split(";"))
    if list(names) != sorted(set(names)) or any(name != name.lower() for name in names):
        raise _incomplete("SignedHeaders must be lower case, sorted, and each once")
    if "host" not in names or "x-amz-date" not in names:
        raise _incomplete("host and x-amz-date must be signed")
    return _Claim(found[1], names, found[3])


def _timestamp(request: Signed) -> str:
    given = request.headers.get("x-amz-date", ())
    if len(given) != 1 or not _TIMESTAMP.fullmatch(given[0]):
        raise _incomplete("X-Amz-Date must stand there once, as 20190125T120000Z")
    return given[0]


def _require_recent(timestamp: str, date: str, now: float) -> None:
    if not timestamp.startswith(date):
        raise Unauthenticated("the date of the credential is not that of X-Amz-Date")
    try:
        signed_at = calendar.timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise _incomplete(f"X-Amz-Date: {quote(timestamp)} is no date") from None
    if abs(now - signed_at) > WINDOW_SECONDS:
        here = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        what = "Signature expired" if now > signed_at else "Signature not yet current"
        raise Unauthenticated(f"{what}: it is of {timestamp}, and it is {here} here; set the clock right")


def _canonical_query(query: str) -> str:
    pairs = sorted(tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _canonical_value(values: tuple[str, ...]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def _incomplete(message: str) -> Unauthenticated:
    return Unauthenticated(message, code="IncompleteSignatureException", status=400)
