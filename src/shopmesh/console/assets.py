"""The files that the browser loads, and the headers of every answer below /console/.

A file is read when it is requested, and again when it has changed. Only plain names below `static` are found.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Message, Scope, Send

from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.errors import MethodNotAllowed, UnknownOperation
from shopmesh.console.gate import values

FOLDER = Path(__file__).parent / "static"
SHELL = "index.html"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*){0,8}")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    content_type: str
    tag: str
    plain: bytes
    zipped: bytes | None


class Assets:
    """The files of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder.resolve()
        self._known: dict[str, tuple[tuple[int, int], Asset]] = {}

    def answer(self, scope: Scope, name: str) -> Response:
        """The response for a file; raises UnknownOperation when there is none, and MethodNotAllowed."""
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['method']} is not allowed here, GET, HEAD is", ("GET", "HEAD"))
        asset = self._find(name)
        if asset is None:
            raise UnknownOperation("the console has no such page or file")
        zipped = asset.zipped if asset.zipped is not None and accepts_gzip(scope) else None
        tag = f'"{asset.tag}-gz"' if zipped is not None else f'"{asset.tag}"'
        # The address of a file stays the same from version to version, so a browser asks each time whether it changed.
        headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if _matches(scope, tag):
            return Response(304, b"", headers)
        headers["content-type"] = asset.content_type
        if zipped is not None:
            headers["content-encoding"] = "gzip"
        return Response(200, asset.plain if zipped is None else zipped, headers)

    def _find(self, name: str) -> Asset | None:
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            return None
        path = self._folder / name
        content_type = _TYPES.get(path.suffix)
        if content_type is None:
            return None
        try:
            # Neither a link nor a folder with a link on the way leads out of it.
            if path.resolve(strict=True) != path or not path.is_file():
                return None
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
            known = self._known.get(name)
            if known is None or known[0] != version:
                known = self._known[name] = (version, _asset(content_type, path.read_bytes()))
        except OSError:
            return None
        return known[1]


def _asset(content_type: str, plain: bytes) -> Asset:
    zipped = gzip.compress(plain, mtime=0)
    tag = hashlib.sha256(plain).hexdigest()[:32]
    return Asset(content_type, tag, plain, zipped if len(zipped) < len(plain) else None)


def accepts_gzip(scope: Scope) -> bool:
    """Whether the client of a request reads gzip."""
    for value in values(scope, b"accept-encoding"):
        for part in value.decode("latin-1").lower().split(","):
            coding, _, quality = part.partition(";")
            if coding.strip() == "gzip":
                return re.fullmatch(r"q=0(\.0*)?", quality.strip()) is None
    return False


def _matches(scope: Scope, tag: str) -> bool:
    known = [one.strip() for value in values(scope, b"if-none-match") for one in value.decode("latin-1").split(",")]
    return "*" in known or tag in {one.removeprefix("W/") for one in known}


async def send_file(response: Response, send: Send) -> None:
    """Sends a response of `Assets`, or one without a body."""
    headers = dict(response.headers)
    if response.status not in (204, 304):  # https://www.rfc-editor.org/rfc/rfc9110#section-8.6
        headers["content-length"] = str(len(response.body))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    await send({"type": "http.response.body", "body": response.body})


def with_security_headers(send: Send) -> Send:
    """Sends with the headers of every answer of the console; a browser stores it only if it says so itself."""
    return _with_headers(send, _SECURITY_HEADERS, {b"cache-control": b"no-store"})


def without_storing(send: Send) -> Send:
    """Sends data, which no browser may store."""
    return _with_headers(send, ((b"cache-control", b"no-store"),), {})


def _with_headers(send: Send, headers: Iterable[tuple[bytes, bytes]], defaults: Mapping[bytes, bytes]) -> Send:
    """Replaces headers of a response, and adds `defaults` that it does not have."""
    replaced = dict(headers)

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = [(name.lower(), value) for name, value in message.get("headers", ())]
            message = {
                **message,
                "headers": [
                    *((name, value) for name, value in present if name not in replaced),
                    *((name, value) for name, value in defaults.items() if name not in dict(present)),
                    *replaced.items(),
                ],
            }
        await send(message)

    return send_with_headers
