"""The routes of resources and manifests. All of them only read.

GET  /shopmesh/v1/resources[?mesh=M]           every resource as a row of a table
GET  /shopmesh/v1/resources/KIND/MESH[/NAME…]  one resource: manifest, the API's answer, relations
POST /shopmesh/v1/manifests                    {"text", "mesh", "base": {"kind", "path", "digest"}} ─► what
                                               `POST /shopmesh/v1/requests` makes of it, or what is wrong, by line
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, Conflict, MethodNotAllowed, NotFound
from shopmesh.appmesh.kinds import KINDS, describe
from shopmesh.appmesh.store import Key
from shopmesh.console.resources.description import describe_resource
from shopmesh.console.resources.listing import list_resources
from shopmesh.console.resources.planning import plan_manifests, problem_documents
from shopmesh.documents import DocumentError
from shopmesh.server.api.app_mesh import Endpoint
from shopmesh.server.api.body import read
from shopmesh.server.control_plane import RouteContext
from shopmesh.server.store.store import Store

LONGEST_TEXT = 256 * 1024
"""Characters of a text to plan; a manifest of the demo has a hundredth of it, and files are for `shopmesh apply`."""


def resource_routes(parts: RouteContext) -> list[BaseRoute]:
    """The routes, for the control plane's `extra_routes`."""
    api = ResourcesApi(parts.store, parts.context)
    return [
        Route("/shopmesh/v1/resources", Endpoint(api.list)),
        Route("/shopmesh/v1/resources/{kind}/{path:path}", Endpoint(api.describe)),
        Route("/shopmesh/v1/manifests", Endpoint(api.plan)),
    ]


class ResourcesApi:
    """Each method takes an ASGI request and raises ApiError when it refuses one.

    What takes more than a moment runs in a thread, on a copy of the state, one at a time.
    """

    def __init__(self, store: Store, context: Callable[[], Context]) -> None:
        self._store = store
        self._context = context
        self._one_at_a_time = asyncio.Semaphore(1)

    async def list(self, scope: Scope, _: Receive) -> Response:
        _require_method(scope, "GET")
        asked = parse_qs(scope["query_string"].decode("utf-8", "replace"))
        found = list_resources(self._store.state, asked["mesh"][0] if "mesh" in asked else None)
        return _json({"revision": self._store.revision, "resources": found})

    async def describe(self, scope: Scope, _: Receive) -> Response:
        _require_method(scope, "GET")
        key = _key(scope["path_params"]["kind"], tuple(scope["path_params"]["path"].split("/")))
        return _json(await self._description(key))

    async def plan(self, scope: Scope, receive: Receive) -> Response:
        """Answers 400 with `errors` where the text is wrong, 409 with `current` where somebody else has written."""
        _require_method(scope, "POST")
        asked = rest_json.load_object(await read(scope, receive))
        text, mesh = asked.get("text"), asked.get("mesh")
        if not isinstance(text, str) or not isinstance(mesh, str | None) or asked.keys() - {"text", "mesh", "base"}:
            raise BadRequest('send {"text": "a manifest", "mesh": "shopmesh", "base": {"kind", "path", "digest"}}')
        if len(text) > LONGEST_TEXT:
            raise BadRequest(
                f"text: has {len(text)} characters, at most {LONGEST_TEXT} are allowed; use shopmesh apply"
            )
        if asked.get("base") is not None:
            key, digest = _base(asked["base"])
            current = await self._description(key)
            if current["digest"] != digest:
                error = Conflict(f"{describe(key)} has changed since the text was read")
                return rest_json.error_response(error, code=error.code, current=current)
        context = replace(self._context(), defer_relations=True)
        async with self._one_at_a_time:
            try:
                made = await asyncio.to_thread(plan_manifests, text, mesh, self._store.state.copy(), context)
            except DocumentError as error:
                wrong = problem_documents(error)
                return rest_json.error_response(BadRequest(str(error)), code=BadRequest.code, errors=wrong)
        return _json({"revision": self._store.revision, **made.to_document()})

    async def _description(self, key: Key) -> dict[str, Any]:
        async with self._one_at_a_time:
            found = self._store.state.get(key)
            if found is None:
                raise NotFound(f"{describe(key)} does not exist")
            state = self._store.state.copy()
            return await asyncio.to_thread(describe_resource, found, state, self._context())


def _base(base: Any) -> tuple[Key, str]:
    match base:
        case {"kind": str(kind), "path": [*names], "digest": str(digest)} if all(isinstance(one, str) for one in names):
            return _key(kind, tuple(names)), digest
    raise BadRequest(
        f'base: send {{"kind", "path", "digest"}} of the resource that the text was read from: {quote(base)}'
    )


def _key(kind: str, path: tuple[str, ...]) -> Key:
    if kind not in KINDS:
        raise NotFound(f"{quote(kind)} is not one of {', '.join(KINDS)}")
    if len(path) != len(KINDS[kind].lineage):
        raise NotFound(f"a {kind} has the names {'/'.join(KINDS[kind].lineage)}, not {quote('/'.join(path))}")
    return Key(kind, path)


def _require_method(scope: Scope, allowed: str) -> None:
    if scope["method"] != allowed and (scope["method"], allowed) != ("HEAD", "GET"):
        raise MethodNotAllowed(f"{quote(scope['method'])} is not allowed here, {allowed} is", (allowed,))


def _json(document: dict[str, Any]) -> Response:
    return Response(200, rest_json.to_json(document))
