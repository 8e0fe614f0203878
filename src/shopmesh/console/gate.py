"""Decides which requests of a browser may pass: by Sec-Fetch-Site or Origin, the page token, and the mode.

    Sec-Fetch-Site, Origin   a browser says of each request which page it is from, and no page can change that
    x-shopmesh-console       the page token; a page of another origin can neither know it nor send such a header
    ?page-token=             the same for an event stream, to which browsers add no headers

https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import enum

from starlette.types import Scope

from shopmesh.appmesh.errors import CrossSiteRequest, Forbidden
from shopmesh.server.api.body import TRANSACTIONS

OWN_HEADER = b"x-shopmesh-console"
TOKEN_PARAMETER = b"page-token="
MOST_COOKIES = 8
"""Cookies of our name that are looked at: another program on this machine can set some for a longer path."""
_READING = ("GET", "HEAD")
_PLAN = "/shopmesh/v1/manifests"
"""Says what a manifest would change, and changes nothing."""


class Mode(enum.Enum):
    """What the console may do."""

    OFF = "off"
    READ_ONLY = "read-only"
    ON = "on"


def require_same_origin(scope: Scope) -> None:
    """Raises CrossSiteRequest unless a browser says that the request is from a page of the console's own origin.

    Another Origin was refused before (see `isolation`), so one that is there is the own.
    """
    if b"same-origin" not in values(scope, b"sec-fetch-site") and not values(scope, b"origin"):
        raise CrossSiteRequest(
            "the request does not say that it is from the console's own page; open the console by https or on "
            "localhost, where browsers send Sec-Fetch-Site"
        )


def is_write(scope: Scope) -> bool:
    return scope["method"] not in _READING


def check_write(scope: Scope, mode: Mode) -> None:
    """Raises an ApiError for a write that must not pass; `scope` is that of the request to the routes.

    With read-only a transaction passes: whether it is a dry run, its body says.
    """
    if not values(scope, OWN_HEADER):
        raise CrossSiteRequest(f"a request that changes something needs the header {OWN_HEADER.decode()}")
    if mode is Mode.READ_ONLY and not (scope["method"] == "POST" and scope["path"] in (_PLAN, TRANSACTIONS)):
        raise read_only()


def page_token(scope: Scope) -> str:
    """The token of the page that sent a request, in its header or query; empty if it has none."""
    given = [
        *values(scope, OWN_HEADER),
        *(part.removeprefix(TOKEN_PARAMETER) for part in _query(scope) if part.startswith(TOKEN_PARAMETER)),
    ]
    return given[0].decode("latin-1") if given else ""


def query_without_token(scope: Scope) -> bytes:
    """The query of a request for the routes, which have no use for the token."""
    return b"&".join(part for part in _query(scope) if not part.startswith(TOKEN_PARAMETER))


def _query(scope: Scope) -> list[bytes]:
    query: bytes = scope["query_string"]
    return query.split(b"&")


def read_only() -> Forbidden:
    return Forbidden(
        "the console of this control plane is read-only; change the mesh with `shopmesh`, `kubectl` or `aws`, "
        "or start the control plane with --console on"
    )


def cookies(scope: Scope, name: str) -> list[str]:
    """The values of the cookies of that name."""
    prefix = f"{name}="
    parts = [part.strip() for value in values(scope, b"cookie") for part in value.decode("latin-1").split(";")]
    return [part.removeprefix(prefix) for part in parts if part.startswith(prefix)][:MOST_COOKIES]


def values(scope: Scope, name: bytes) -> list[bytes]:
    """The values of all headers of that name (lower case)."""
    return [value.strip() for key, value in scope["headers"] if key == name]
