"""Verifies AWS Signature Version 4: a client must know the secret key of a configured access key.

    Authorization: AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/appmesh/aws4_request, SignedHeaders=…, Signature=…

Only the header form is accepted, not presigned URLs. The body's hash is always computed here, so the signature always
covers the body. Everything that can be checked without the body is checked before it is read. A client that sends and
signs the body's hash, in the header X-Amz-Content-Sha256, is verified before its body is read; the bodies of all other
clients are bounded together. As with AWS, a request that somebody records is accepted again within its window; one with
a client token then does nothing twice.
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
from starlette.types import ASGIApp, Receive, Scope, Send

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.errors import ApiError, Unauthenticated
from shopmesh.server.api.app_mesh import send_response
from shopmesh.server.api.author import Author, set_author
from shopmesh.server.api.body import ClientDisconnected, UnverifiedBodies, read, replay_body
from shopmesh.server.http.connections import trust
from shopmesh.server.http.limits import API_LIMITS

ALGORITHM = "AWS4-HMAC-SHA256"
# "In most cases, a request must reach AWS within five minutes of the time stamp in the request."
WINDOW_SECONDS = 5 * 60
LONGEST_HEADER = 8192
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=([^\s,]+), *SignedHeaders=([^\s,]+), *Signature=([0-9a-f]{{64}})"
)
BODY_HASH = "x-amz-content-sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")


class SigV4Middleware:
    """ASGI middleware: refuses requests that are not signed with one of `credentials` (access key → secret key).

    Without credentials nothing is checked. `open_paths` need no signature.
    """

    def __init__(
        self,
        app: ASGIApp,
        credentials: Mapping[str, str],
        region: str,
        service: str = "appmesh",
        open_paths: Collection[str] = ("/healthz", "/readyz"),
        clock: Callable[[], float] = time.time,
        most_unverified: int = API_LIMITS.unverified_bytes,
    ) -> None:
        """`most_unverified` are the bytes of bodies that are held before their signature can be checked."""
        self.app = app
        self._verifier = Verifier(credentials, region, service)
        self._checks = bool(credentials)
        self._open_paths = frozenset(open_paths)
        self._clock = clock
        self._unverified = UnverifiedBodies(most_unverified)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not self._checks or scope.get("path") in self._open_paths:
            if not self._checks:
                trust(scope)
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._authenticate(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _authenticate(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            key, body = await self._verified_body(scope, receive)
            trust(scope)
            set_author(scope, Author(key, "api"))
        except ClientDisconnected:
            return
        except ApiError as error:
            await send_response(rest_json.error_response(error), send)
            return
        await self.app(scope, replay_body(body, receive), send)

    async def _verified_body(self, scope: Scope, receive: Receive) -> tuple[str, bytes]:
        """The access key of the client and the body of its request; raises Unauthenticated."""
        request = SignedRequest.from_scope(scope)
        claim = self._verifier.claim(request, self._clock())
        if request.body_hash is None:
            body = await self._unverified.read(scope, receive)
            self._verifier.compare(replace(request, body_hash=sha256(body)), claim)
            return claim.key, body
        self._verifier.compare(request, claim)
        trust(scope)
        body = await read(scope, receive)
        if sha256(body) != request.body_hash:
            raise _mismatch()
        return claim.key, body


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature may cover: method, raw path and query, headers by lower-case name in the order given, body.

    `body_hash` is its SHA-256 in hex, None while it is not known.
    """

    method: str
    raw_path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body_hash: str | None

    @classmethod
    def from_scope(cls, scope: Scope) -> SignedRequest:
        """The head of a request, with the body hash that its header declares."""
        headers: dict[str, tuple[str, ...]] = {}
        for raw_name, raw_value in scope["headers"]:
            name = raw_name.decode("latin-1")
            headers[name] = (*headers.get(name, ()), raw_value.decode("latin-1"))
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        announced = headers.get(BODY_HASH, ())
        known = announced[0] if len(announced) == 1 and _SHA256.fullmatch(announced[0]) else None
        return cls(scope["method"], path, query, headers, known)


class Verifier:
    """Compares signatures for one region and service; holds the secrets and never shows them."""

    def __init__(self, credentials: Mapping[str, str], region: str, service: str) -> None:
        self._credentials = dict(credentials)
        self._scope = (region, service, "aws4_request")

    def claim(self, request: SignedRequest, now: float) -> Claim:
        """The claim of a request, checked except for the signature itself; raises Unauthenticated with AWS's code."""
        authorization = _authorization(request)
        credential = authorization.credential
        key, date, *scope = credential.rsplit("/", 4) if credential.count("/") >= 4 else ("", "")
        if not scope:
            raise _incomplete("Credential must be <access key>/<date>/<region>/<service>/aws4_request")
        if tuple(scope) != self._scope:
            expected = "/".join(self._scope)
            raise Unauthenticated(f"the credential's scope is {quote('/'.join(scope))}, expected {expected}")
        timestamp = _timestamp(request)
        _require_recent(timestamp, date, now)
        if key not in self._credentials:
            raise Unauthenticated(
                "the access key is not known here; use one that the control plane is configured with",
                code="UnrecognizedClientException",
            )
        return Claim(key, timestamp, date, authorization.signed_headers, authorization.signature)

    def compare(self, request: SignedRequest, claim: Claim) -> None:
        """Raises Unauthenticated unless the owner of the claimed key signed this request; its `body_hash` is known."""
        secret = self._credentials[claim.key]
        scope = (claim.date, *self._scope)
        expected = signature(request, claim.signed_headers, secret, claim.timestamp, scope)
        if not hmac.compare_digest(expected, claim.signature):
            raise _mismatch()


@dataclass(frozen=True, slots=True)
class Claim:
    """What the Authorization header of a request claims."""

    key: str
    timestamp: str
    date: str
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class _Authorization:
    credential: str
    signed_headers: tuple[str, ...]
    signature: str


def signature(
    request: SignedRequest, signed_headers: Collection[str], secret: str, timestamp: str, scope: Collection[str]
) -> str:
    """The expected signature in hex; `scope` is date, region, service and terminator."""
    canonical = "\n".join(
        (
            request.method,
            # Encoded once by the client for the wire, and once more for signing, but for S3.
            percent_encode(normalize_url_path(request.raw_path), safe="/~"),
            _canonical_query(request.query),
            *(f"{name}:{_canonical_value(request.headers.get(name, ()))}" for name in signed_headers),
            "",
            ";".join(signed_headers),
            request.body_hash or "",
        )
    )
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = "\n".join((ALGORITHM, timestamp, "/".join(scope), digest))
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def sign(
    request: SignedRequest, key: str, secret: str, region: str, now: float, service: str = "appmesh"
) -> dict[str, str]:
    """The additional headers that sign a request; all its own headers, `host` among them, are signed."""
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = (timestamp[:8], region, service, "aws4_request")
    headers = {**request.headers, "x-amz-date": (timestamp,)}
    names = sorted(headers)
    signed = signature(replace(request, headers=headers), names, secret, timestamp, scope)
    credential = f"Credential={key}/{'/'.join(scope)}, SignedHeaders={';'.join(names)}"
    return {"x-amz-date": timestamp, "authorization": f"{ALGORITHM} {credential}, Signature={signed}"}


def _authorization(request: SignedRequest) -> _Authorization:
    given = request.headers.get("authorization", ())
    if not given:
        raise Unauthenticated(
            "the request is not signed; configure the client with an access key of the control plane",
            code="MissingAuthenticationTokenException",
        )
    if len(given) > 1 or len(given[0]) > LONGEST_HEADER:
        raise _incomplete(f"send one Authorization header of at most {LONGEST_HEADER} characters")
    found = _AUTHORIZATION.fullmatch(given[0].strip())
    if found is None:
        raise _incomplete(f"the Authorization header must be {ALGORITHM} Credential=…, SignedHeaders=…, Signature=…")
    names = tuple(found[2].split(";"))
    if list(names) != sorted(set(names)) or any(name != name.lower() for name in names):
        raise _incomplete("SignedHeaders must be in lower case, sorted and without duplicates")
    if "host" not in names or "x-amz-date" not in names:
        raise _incomplete("host and x-amz-date must be signed")
    return _Authorization(found[1], names, found[3])


def _timestamp(request: SignedRequest) -> str:
    given = request.headers.get("x-amz-date", ())
    if len(given) != 1 or not _TIMESTAMP.fullmatch(given[0]):
        raise _incomplete("send one X-Amz-Date header, such as 20190125T120000Z")
    return given[0]


def _require_recent(timestamp: str, date: str, now: float) -> None:
    if not timestamp.startswith(date):
        raise Unauthenticated("the date in Credential differs from the date in X-Amz-Date")
    try:
        signed_at = calendar.timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise _incomplete(f"X-Amz-Date: {quote(timestamp)} is not a date such as 20190125T120000Z") from None
    if abs(now - signed_at) > WINDOW_SECONDS:
        here = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        what = "Signature expired" if now > signed_at else "Signature not yet current"
        raise Unauthenticated(
            f"{what}: signed at {timestamp}, but the control plane's clock shows {here}; correct the wrong clock"
        )


def _canonical_query(query: str) -> str:
    pairs = sorted(tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _canonical_value(values: tuple[str, ...]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def sha256(body: bytes) -> str:
    """The hash of a body as a signature covers it."""
    return hashlib.sha256(body).hexdigest()


def _mismatch() -> Unauthenticated:
    return Unauthenticated(
        "the signature does not match the request; check the secret key, and that nothing between "
        "client and control plane changes path, query, signed headers or body"
    )


def _incomplete(message: str) -> Unauthenticated:
    return Unauthenticated(message, code="IncompleteSignatureException", status=400)
