"""Refuses requests that a web page of another site could have sent, whatever they ask for and however they are signed.

    Host                      another name: its owner can resolve it to this machine (DNS rebinding)
    Origin, Sec-Fetch-Site    a page of another site, or of another port of this machine
    Content-Type              other than JSON: a page may send such bodies without a preflight

Each check looks at headers alone, so none of a refused request's body is read.
https://www.w3.org/TR/fetch-metadata/  https://www.rfc-editor.org/rfc/rfc9110#status.421
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.errors import ApiError, BadRequest, CrossSiteRequest, MisdirectedRequest, UnsupportedMediaType
from shopmesh.server.api.app_mesh import send_response
from shopmesh.server.api.hosts import AllowedHosts, split_authority

_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Cookies and permissions ignore ports, so "same-site" may be any other program on this machine.
_SAME_ORIGIN = frozenset({"same-origin", "none"})


class IsolationMiddleware:
    """ASGI middleware around all others: refuses requests to other hosts and from other sites, and non-JSON bodies."""

    def __init__(
        self, app: ASGIApp, hosts: AllowedHosts, option: str = "--api-host", linked: Collection[str] = ()
    ) -> None:
        """`option` is the one that adds a name to `hosts`; `linked` are paths of pages that hold no data, which a link
        of another site may open.
        """
        self.app = app
        self._hosts = hosts
        self._option = option
        self._linked = frozenset(linked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                check(scope, self._hosts, self._option, self._linked)
            except ApiError as error:
                if scope["type"] == "http":
                    await send_response(rest_json.error_response(error), send)
                else:
                    await send({"type": "websocket.close", "code": 1008})
                return
        await self.app(scope, receive, send)


def check(scope: Scope, hosts: AllowedHosts, option: str = "--api-host", linked: Collection[str] = frozenset()) -> None:
    """Raises an ApiError for a request that a web page of another site could have sent."""
    if not scope["raw_path"].startswith(b"/"):
        raise BadRequest("the request's target must be a path; a full URL is for proxies")
    authority = _only(_values(scope, b"host"))
    server = scope.get("server")
    try:
        host, port = split_authority(authority)
    except ValueError:
        raise BadRequest(f"Host: {quote(authority)} is not of the form HOST or HOST:PORT") from None
    if not hosts.allows(host, server[0] if server else None):
        raise MisdirectedRequest(
            f"Host: {quote(authority)} is not a name of this control plane; if clients reach it by that name, "
            f"start it with {option} and the name"
        )
    if not (scope["path"] in linked and _is_opened_by_link(scope)):
        _require_same_origin(scope, host, port)
    _require_json(scope)


def _is_opened_by_link(scope: Scope) -> bool:
    """Whether a browser shows the answer as a page of its own, so that no other page can read or frame it."""
    return (
        scope["method"] == "GET"
        and _values(scope, b"sec-fetch-mode") == ["navigate"]
        and _values(scope, b"sec-fetch-dest") == ["document"]
        and not _values(scope, b"origin")
    )


def _require_same_origin(scope: Scope, host: str, port: int | None) -> None:
    for origin in _values(scope, b"origin"):
        if not _is_same_origin(origin, host, port):
            raise CrossSiteRequest(f"Origin: {quote(origin)} is another site; web pages of other sites have no access")
    for site in _values(scope, b"sec-fetch-site"):
        if site not in _SAME_ORIGIN:
            raise CrossSiteRequest(f"Sec-Fetch-Site: {quote(site)}; web pages of other sites have no access")


def _is_same_origin(origin: str, host: str, port: int | None) -> bool:
    """The scheme is not compared: it differs behind a proxy that terminates TLS."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        return False
    default = _DEFAULT_PORTS[found["scheme"]]
    try:
        origin_host, origin_port = split_authority(found["authority"])
    except ValueError:
        return False
    return (origin_host, origin_port or default) == (host, port or default)


def _require_json(scope: Scope) -> None:
    length, content_types = _values(scope, b"content-length"), _values(scope, b"content-type")
    if not _values(scope, b"transfer-encoding") and all(one == "0" for one in length):
        return
    if len(content_types) != 1 or not rest_json.is_json(content_types[0]):
        found = quote(", ".join(content_types)) if content_types else "missing"
        raise UnsupportedMediaType(f"Content-Type is {found}; send application/json")


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key == name]


def _only(hosts: list[str]) -> str:
    # https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    if len(hosts) != 1:
        raise BadRequest(f"the request has {len(hosts)} Host headers; send one")
    return hosts[0]
