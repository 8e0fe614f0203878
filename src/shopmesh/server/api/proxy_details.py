"""What one proxy answered last, and its configuration: read at the replica that it is connected to.

GET  /shopmesh/v1/proxies/{mesh}/{kind}/{name}/{instance}/responses    the last 20 ACKs and NACKs, newest first
GET  /shopmesh/v1/proxies/{mesh}/{kind}/{name}/{instance}/config       ?type=clusters&snapshot=former
POST /shopmesh/v1/replica/config                                       the same, asked by another replica
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.errors import BadRequest, MethodNotAllowed, NotFound
from shopmesh.server.api.app_mesh import Endpoint
from shopmesh.server.api.body import read
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.grpc.proxy_configuration import ProxyConfiguration
from shopmesh.server.replicas import CombinedState, PeerError, Replicas, StateQuery
from shopmesh.server.replicas.peer_protocol import proxy_document
from shopmesh.xds.node import Identity
from shopmesh.xds.resources import TYPES, TypeName

REPLICA_PATH = "/shopmesh/v1/replica/config"
ANSWER_SECONDS = 20.0
"""Seconds within which another replica must answer: it may convert several configurations before this one."""
_SNAPSHOTS = ("current", "former")
_PROXY = "/shopmesh/v1/proxies/{mesh}/{kind}/{name}/{instance}"


class ProxyDetailsApi:
    """The routes about one proxy. Converting a large configuration takes a second, so one is converted at a time."""

    def __init__(
        self,
        proxies: Proxies,
        replicas: Replicas,
        configuration_of: Callable[[Identity, bool], ProxyConfiguration | None],
    ) -> None:
        """`configuration_of` returns that of a proxy that is connected here, or its former one."""
        self._proxies = proxies
        self._replicas = replicas
        self._configuration_of = configuration_of
        self._converting = asyncio.Semaphore(1)

    def routes(self) -> list[BaseRoute]:
        return [
            Route(f"{_PROXY}/responses", self._responses),
            Route(f"{_PROXY}/config", self._config),
            Route(REPLICA_PATH, Endpoint(self._config_for_replica)),
        ]

    async def _responses(self, request: Request) -> Response:
        identity = _identity(request)
        answer = await self._query(identity)
        found = answer.state.answers
        document: dict[str, Any] = {"responses": [one.to_document() for one in found.answers] if found else []}
        return JSONResponse({**document, "replicas": answer.counts()} if self._replicas.several else document)

    async def _config(self, request: Request) -> Response:
        identity = _identity(request)
        types = _types(request.query_params.getlist("type"))
        snapshot = request.query_params.get("snapshot", "current")
        if snapshot not in _SNAPSHOTS:
            raise HTTPException(400, f"snapshot={quote(snapshot)} does not exist; there are {', '.join(_SNAPSHOTS)}")
        found = (await self._query(identity)).state.answers
        if found is None or found.replica == self._replicas.id:
            document = await self._document(identity, types, snapshot)
            if document is None:
                raise HTTPException(404, _no_configuration(identity, snapshot))
            return Response(document, media_type="application/json")
        body = rest_json.to_json({"proxy": identity, "types": types, "snapshot": snapshot})
        try:
            answer = await self._replicas.forward(found.replica, REPLICA_PATH, body, ANSWER_SECONDS)
        except PeerError as error:
            raise HTTPException(503, f"the replica that the proxy is connected to does not answer: {error}") from error
        if answer.status not in (200, 404):
            raise HTTPException(503, f"the replica that the proxy is connected to answers {answer.status}")
        return Response(answer.body, answer.status, media_type="application/json")

    async def _query(self, identity: Identity) -> CombinedState:
        """The answers of a proxy; raises HTTPException 404 or 503 when it is connected to no replica that answers."""
        answer = await self._replicas.query(StateQuery(proxy=identity))
        if answer.state.answers is None:
            label = f"{identity.instance} of {identity.kind} {identity.mesh}/{identity.name}"
            if answer.unreachable:
                why = f"{len(answer.unreachable)} of {answer.asked} replicas did not answer"
                raise HTTPException(503, f"no proxy {label} is connected to a replica that answers, and {why}")
            raise HTTPException(404, f"no proxy {label} is connected; `shopmesh status` lists those that are")
        return answer

    async def _config_for_replica(self, scope: Scope, receive: Receive) -> rest_json.Response:
        """The configuration of a proxy that is connected here, for another replica."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['method']} is not allowed here, POST is", ("POST",))
        match rest_json.load_object(await read(scope, receive)):
            case {
                "proxy": [str(mesh), str(kind), str(name), str(instance)],
                "types": [*asked],
                "snapshot": "current" | "former" as snapshot,
            }:
                identity = Identity(mesh, kind, name, instance)
                types = [kind for kind in TYPES if kind in asked]
                document = await self._document(identity, types, snapshot)
                if document is None:
                    raise NotFound(_no_configuration(identity, snapshot))
                return rest_json.Response(200, document)
        raise BadRequest('send {"proxy": [mesh, kind, name, instance], "types": […], "snapshot": "current"}')

    async def _document(self, identity: Identity, types: list[TypeName], snapshot: str) -> bytes | None:
        """The JSON, which is made in a thread: it may be megabytes. None where there is no such configuration."""
        found = self._configuration_of(identity, snapshot == "former")
        status = self._proxies.status(identity)
        if found is None or status is None:
            return None
        head = {"proxy": proxy_document(status), "snapshot": snapshot}
        async with self._converting:
            return await asyncio.to_thread(lambda: rest_json.to_json({**head, **found.to_document(types)}))


def _no_configuration(identity: Identity, snapshot: str) -> str:
    if snapshot == "former":
        return (
            f"the proxies of {identity.kind} {identity.mesh}/{identity.name} have had one configuration only since "
            "the first of them connected"
        )
    return f"there is no configuration for {identity.kind} {identity.mesh}/{identity.name}, which does not exist"


def _identity(request: Request) -> Identity:
    return Identity(*(request.path_params[part] for part in ("mesh", "kind", "name", "instance")))


def _types(asked: list[str]) -> list[TypeName]:
    if unknown := [one for one in asked if one not in TYPES]:
        raise HTTPException(400, f"type={quote(unknown[0])} does not exist; there are {', '.join(TYPES)}")
    return [kind for kind in TYPES if not asked or kind in asked]
