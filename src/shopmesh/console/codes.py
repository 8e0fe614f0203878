"""The routes that make codes, and where a code is traded: at the replica that minted it.

POST /shopmesh/v1/console/codes        {"seconds"} ─► {"code", "expires"}, both null where nobody has to sign in
POST /shopmesh/v1/console/redemptions  from another replica: {"code"} ─► {"accessKey"}

Both need a signature, and the cookie of the console does not open them.
"""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.errors import BadRequest, MethodNotAllowed, NotFound, NotSignedIn, TooManyRequests
from shopmesh.console.gate import Mode
from shopmesh.console.sign_in import LONGEST_CODE, LONGEST_CODE_SECONDS, Codes, WrongCodes, replica_of
from shopmesh.server.api.app_mesh import Endpoint
from shopmesh.server.api.author import author_of
from shopmesh.server.api.body import read
from shopmesh.server.control_plane import RouteContext
from shopmesh.server.replicas import PeerError, Replicas

PREFIX = "/shopmesh/v1/console/"
CODES, REDEMPTIONS = f"{PREFIX}codes", f"{PREFIX}redemptions"
CODE_SECONDS = 60
LARGEST_BODY = 4096
FORWARD_SECONDS = 3.0
"""Seconds that another replica has to redeem a code."""


class CodeRoutes:
    """The signed routes of one replica."""

    def __init__(self, codes: Codes, mode: Mode, context: RouteContext) -> None:
        self._codes = codes
        self._mode = mode
        self._is_open = not context.config.credentials
        self._replica = context.replicas.id if context.replicas.several else ""

    def routes(self) -> list[BaseRoute]:
        return [Route(CODES, Endpoint(self._mint)), Route(REDEMPTIONS, Endpoint(self._redeem))]

    async def _mint(self, scope: Scope, receive: Receive) -> Response:
        asked = await _read(scope, receive)
        seconds = asked.get("seconds", CODE_SECONDS)
        if asked.keys() - {"seconds"} or not _is_duration(seconds):
            raise BadRequest(f'send {{"seconds": {CODE_SECONDS}}}, at most {LONGEST_CODE_SECONDS}')
        if self._mode is Mode.OFF:
            raise NotFound("the console is off; start the control plane with --console on or read-only")
        if self._is_open:
            return Response(200, rest_json.to_json({"code": None, "expires": None}))
        access_key = author_of(scope).name
        assert access_key is not None  # noqa: S101  # the signature was verified
        code = self._codes.mint(access_key, seconds, self._replica)
        return Response(200, rest_json.to_json({"code": code.text, "expires": code.expires}))

    async def _redeem(self, scope: Scope, receive: Receive) -> Response:
        access_key = self._codes.redeem(parse_code(await _read(scope, receive)))
        if access_key is None:
            raise wrong_code()
        return Response(200, rest_json.to_json({"accessKey": access_key}))


class Trade:
    """Redeems the codes of all replicas."""

    def __init__(self, codes: Codes, wrong: WrongCodes, replicas: Replicas) -> None:
        self._codes = codes
        self._wrong = wrong
        self._replicas = replicas

    async def redeem(self, code: str) -> str:
        """The access key that a code was minted for; raises NotSignedIn, and TooManyRequests after many wrong codes.

        A right code of this replica works however many wrong ones came before.
        """
        access_key = self._codes.redeem(code)
        if access_key is not None:
            return access_key
        if not self._wrong.allow():
            raise TooManyRequests("too many wrong codes; wait a minute, and make a new one with `shopmesh console`")
        replica = replica_of(code)
        if not self._replicas.several or not replica or replica == self._replicas.id:
            raise wrong_code()
        access_key = await self._redeem_at(replica, code)
        self._wrong.give_back()
        return access_key

    async def _redeem_at(self, replica: str, code: str) -> str:
        try:
            response = await self._replicas.forward(
                replica, REDEMPTIONS, rest_json.to_json({"code": code}), FORWARD_SECONDS
            )
            access_key = json.loads(response.body)["accessKey"] if response.status == 200 else None
        except (PeerError, ValueError, LookupError, TypeError):
            access_key = None
        if not isinstance(access_key, str):
            raise wrong_code()
        return access_key


def parse_code(document: dict[str, Any]) -> str:
    """The code of `{"code": …}`; raises BadRequest."""
    code = document.get("code")
    is_text = isinstance(code, str) and code.isascii() and 0 < len(code) <= LONGEST_CODE
    if document.keys() != {"code"} or not is_text:
        raise BadRequest(f'send {{"code": "…"}}, at most {LONGEST_CODE} characters of ASCII')
    return str(code)


def wrong_code() -> NotSignedIn:
    return NotSignedIn("the code is wrong, was used already, or has expired; make a new one with `shopmesh console`")


async def _read(scope: Scope, receive: Receive) -> dict[str, Any]:
    if scope["method"] != "POST":
        raise MethodNotAllowed(f"{quote(scope['method'])} is not allowed here, POST is", ("POST",))
    body = await read(scope, receive, LARGEST_BODY)
    return rest_json.load_object(body) if body else {}


def _is_duration(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return is_number and 0 < value <= LONGEST_CODE_SECONDS
