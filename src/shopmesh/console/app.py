"""The application that is served: everything below /console/ here, everything else by the API.

GET  /console/           the shell, and /console/static/… its files: anybody gets them, they hold no data
POST /console/sign-in    {"code"} ─► {"pageToken"} and the cookie;  POST /console/sign-out takes it back
GET  /console/session    who is signed in, until when, and what the console may do
any  /console/api/…      what the control plane serves at …, for a request that passes the gate
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.api.validation import Json, quote
from shopmesh.appmesh.errors import ApiError, BadRequest, MethodNotAllowed, NotFound, NotSignedIn, UnknownOperation
from shopmesh.console import codes, gate
from shopmesh.console.assets import SHELL, Assets, send_file, with_security_headers, without_storing
from shopmesh.console.codes import CodeRoutes, Trade
from shopmesh.console.gate import Mode
from shopmesh.console.live.stream import live_routes
from shopmesh.console.resources.routes import resource_routes
from shopmesh.console.sign_in import SESSION_SECONDS, Codes, ConsoleSession, SessionCookies, WrongCodes
from shopmesh.server.api.app_mesh import internal_error, send_response
from shopmesh.server.api.author import Author, set_author
from shopmesh.server.api.body import TRANSACTIONS, ClientDisconnected, header, read, replay_body
from shopmesh.server.api.hosts import AllowedHosts, split_authority
from shopmesh.server.api.isolation import IsolationMiddleware
from shopmesh.server.config import ConfigError
from shopmesh.server.control_plane import RouteContext
from shopmesh.server.http.connections import trust

PATH = "/console"
API = f"{PATH}/api"
STATIC = f"{PATH}/static/"
LARGEST_DRY_RUN = 1024 * 1024
"""Bytes of a transaction that a read-only console looks at."""
_NOT_FOR_BROWSERS = (codes.PREFIX, "/shopmesh/v1/replica")
"""Routes that only signatures open: a cookie must not lead to a new cookie, so that twelve hours are twelve hours."""
_DROPPED = frozenset({b"cookie", b"authorization", b"x-shopmesh-forwarded"})
"""Headers that are not for the routes."""


class WebConsole:
    """The console of one control plane; `routes` and `front` are what the server takes.

    `hosts` are further names by which browsers may reach it.
    """

    def __init__(self, mode: Mode, hosts: Sequence[str] = (), clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigError for a name that no host can have."""
        try:
            self._hosts = AllowedHosts.of(hosts)
        except ValueError as error:
            raise ConfigError(f"--console-host: {error}, such as mesh.example or 192.0.2.7") from None
        self._mode = mode
        self._clock = clock
        self._codes = Codes(clock)
        self._wrong = WrongCodes(clock)

    def routes(self, context: RouteContext) -> Iterable[BaseRoute]:
        """The routes that need a signature."""
        codes_of_console = CodeRoutes(self._codes, self._mode, context).routes()
        return [*codes_of_console, *live_routes(context), *resource_routes(context)]

    def front(self, context: RouteContext, routes: ASGIApp, api: ASGIApp) -> ASGIApp:
        """The application that is served; see `shopmesh.server.control_plane.Front`."""
        hosts = AllowedHosts(context.config.allowed_hosts().names | self._hosts.names)
        sessions = SessionCookies(context.config.credentials, self._clock)
        app = ConsoleApp(
            self._mode, sessions, Trade(self._codes, self._wrong, context.replicas).redeem, routes, self._clock
        )
        # A terminal may be a page itself, and a link in it one of another site.
        isolated = IsolationMiddleware(app, hosts, "--console-host", linked=(PATH, f"{PATH}/"))

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            if path != PATH and not path.startswith(f"{PATH}/"):
                await api(scope, receive, send)
            elif scope["type"] == "http":
                await isolated(scope, receive, with_security_headers(send))
            else:
                await send({"type": "websocket.close", "code": 1008})

        return serve


class ConsoleApp:
    """Answers what is below /console/, for a request that `isolation` has let through."""

    def __init__(
        self,
        mode: Mode,
        sessions: SessionCookies,
        redeem: Callable[[str], Awaitable[str]],
        routes: ASGIApp,
        clock: Callable[[], float],
    ) -> None:
        """`redeem` returns the access key that a code was minted for (see `Trade`); `routes` answers the rest."""
        self._mode = mode
        self._sessions = sessions
        self._redeem = redeem
        self._routes = routes
        self._clock = clock
        self._assets = Assets()
        self._version = importlib.metadata.version("shopmesh")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            path = _plain_path(scope)
            if self._mode is Mode.OFF:
                raise NotFound("the console is off; start the control plane with --console on or read-only")
            if path.startswith(f"{API}/"):
                await self._forward(scope, receive, send)
            else:
                await send_file(await self._answer_safely(path, scope, receive), send)
        except ClientDisconnected:
            return
        except ApiError as error:
            await send_response(rest_json.error_response(error), send)

    async def _answer_safely(self, path: str, scope: Scope, receive: Receive) -> Response:
        """As `_answer`; what uvicorn would answer to an unexpected error lacks the headers of the console."""
        try:
            return await self._answer(path, scope, receive)
        except (ApiError, ClientDisconnected):
            raise
        except Exception:
            return internal_error(scope)

    async def _answer(self, path: str, scope: Scope, receive: Receive) -> Response:
        match path.removeprefix(PATH):
            case "":
                _require_method(scope, "GET", "HEAD")
                return Response(307, b"", {"location": f"{PATH}/"})
            case "/":
                return self._assets.answer(scope, SHELL)
            case "/session":
                _require_method(scope, "GET", "HEAD")
                return self._session_document(self._signed_in(scope))
            case "/sign-in":
                _require_method(scope, "POST")
                return await self._sign_in(scope, receive)
            case "/sign-out":
                _require_method(scope, "POST")
                gate.require_same_origin(scope)
                return Response(204, b"", {"set-cookie": _cookie(scope, "", 0)})
        if path.startswith(STATIC):
            return self._assets.answer(scope, path.removeprefix(STATIC))
        raise UnknownOperation("the console has no such page or file")

    async def _sign_in(self, scope: Scope, receive: Receive) -> Response:
        gate.require_same_origin(scope)
        document = rest_json.load_object(await read(scope, receive, codes.LARGEST_BODY))
        access_key = await self._redeem(codes.parse_code(document))
        issued = self._sessions.issue(access_key)
        if issued is None:
            raise codes.wrong_code()
        return _json({"pageToken": issued.page_token}, {"set-cookie": _cookie(scope, issued.cookie, SESSION_SECONDS)})

    def _signed_in(self, scope: Scope) -> ConsoleSession | None:
        """Who sent a request for data; None where nobody has to sign in. Raises CrossSiteRequest and NotSignedIn."""
        gate.require_same_origin(scope)
        if self._sessions.is_open:
            return None
        token = gate.page_token(scope)
        found = (self._sessions.verify(value, token) for value in gate.cookies(scope, cookie_name(scope)))
        session = next((one for one in found if one is not None), None)
        if session is None:
            raise NotSignedIn("nobody is signed in; `shopmesh console` prints a link that signs in")
        return session

    def _session_document(self, session: ConsoleSession | None) -> Response:
        document = {
            "accessKey": session.access_key if session else None,
            "expires": session.expires if session else None,
            "mode": self._mode.value,
            "version": self._version,
        }
        return _json(document)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request to the routes pass, with the path that it would have there."""
        session = self._signed_in(scope)
        inner = _inner_scope(scope)
        if inner["path"].startswith(_NOT_FOR_BROWSERS):
            raise UnknownOperation("this route needs a signature; the console has no use for it")
        trust(scope)
        if gate.is_write(inner):
            gate.check_write(inner, self._mode)
            if self._mode is Mode.READ_ONLY and inner["path"] == TRANSACTIONS:
                receive = await _require_dry_run(inner, receive)
        set_author(inner, Author(session.access_key if session else None, "console"))
        send = without_storing(send)
        if session is None or gate.is_write(inner):
            # A write that has begun in time is finished.
            await self._routes(inner, receive, send)
        else:
            await _run_until(session.expires - self._clock(), self._routes, inner, receive, send)


def cookie_name(scope: Scope) -> str:
    """The name of the cookie, with the port that the browser knows.

    Cookies ignore ports, and a machine may have several control planes.
    """
    _, port = split_authority((header(scope, b"host") or b"").decode("latin-1"))
    return "shopmesh-console" if port is None else f"shopmesh-console-{port}"


def _json(document: Json, headers: Mapping[str, str] | None = None) -> Response:
    return Response(200, rest_json.to_json(document), {"content-type": "application/json", **(headers or {})})


def _cookie(scope: Scope, value: str, seconds: int) -> str:
    # What the browser says is right also behind a proxy that ends TLS; X-Forwarded-Proto, anybody may send.
    origin = header(scope, b"origin") or b""
    secure = "; Secure" if scope["scheme"] == "https" or origin.startswith(b"https://") else ""
    return f"{cookie_name(scope)}={value}; Path={PATH}/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _plain_path(scope: Scope) -> str:
    """The path; raises BadRequest for one that could be read in another way by whatever routes it later.

    Only names within the API may be percent-encoded, and they keep it.
    """
    raw, path = scope["raw_path"].decode("latin-1"), str(scope["path"])
    is_api = raw.startswith(f"{API}/")
    segments = path.split("/")[1:]
    if (
        (raw != path and not is_api)
        or "" in segments[:-1]
        or any(segment in (".", "..") for segment in segments)
        or any(character < " " or character in "\\\x7f" for character in path)
    ):
        raise BadRequest(f"{quote(raw)} is not a path of the console")
    return path


def _inner_scope(scope: Scope) -> Scope:
    """The scope of the same request to the routes; path and raw path begin with the same literal prefix."""
    return {
        **scope,
        "path": scope["path"].removeprefix(API),
        "raw_path": scope["raw_path"].removeprefix(API.encode()),
        "query_string": gate.query_without_token(scope),
        "headers": [(name, value) for name, value in scope["headers"] if name not in _DROPPED],
    }


async def _require_dry_run(scope: Scope, receive: Receive) -> Receive:
    """Reads a transaction, which must be a dry run, and returns what replays it."""
    body = await read(scope, receive, LARGEST_DRY_RUN)
    document = await asyncio.to_thread(rest_json.load_object, body)
    if document.get("dryRun") is not True:
        raise gate.read_only()
    return replay_body(body, receive)


async def _run_until(seconds: float, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Runs the application at most so long: an event stream ends with the session that opened it."""
    begun = False

    async def watch(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await app(scope, receive, watch)
    except TimeoutError:
        if not limit.expired():
            raise
        if not begun:
            raise NotSignedIn("the session has expired; `shopmesh console` prints a link that signs in") from None
        await send({"type": "http.response.body", "body": b""})


def _require_method(scope: Scope, *allowed: str) -> None:
    if scope["method"] not in allowed:
        raise MethodNotAllowed(f"{quote(scope['method'])} is not allowed here, {', '.join(allowed)} is", allowed)
