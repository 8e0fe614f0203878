"""GET /shopmesh/v1/history: requests, errors and latencies of each version of a virtual service over the last minutes.

?mesh=M&virtualService=S[&seconds=300]
"""

from __future__ import annotations

import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.store import Key
from shopmesh.server.api.query import number
from shopmesh.server.replicas import Replicas, StateQuery
from shopmesh.server.store.store import Store
from shopmesh.server.traffic import splits
from shopmesh.server.traffic.history import LONGEST, HistoryQuery, query_clusters, series, targets_of_rows
from shopmesh.server.traffic.weight_history import WeightHistory

DEFAULT_SECONDS = 300.0


class HistoryApi:
    """Answers from the figures of all replicas, and the changes of weights since this one started."""

    def __init__(self, store: Store, replicas: Replicas) -> None:
        self._store = store
        self._replicas = replicas
        self._weights = WeightHistory(store.state)
        store.subscribe(self._weights.on_commit)

    def routes(self) -> list[Route]:
        return [Route("/shopmesh/v1/history", self._history)]

    async def _history(self, request: Request) -> Response:
        mesh, name = (_text(request, one) for one in ("mesh", "virtualService"))
        seconds = min(max(number(request, "seconds", DEFAULT_SECONDS), 1.0), LONGEST)
        service = self._store.state.get(Key("virtualService", (mesh, name)))
        if service is None:
            raise HTTPException(404, f"there is no virtual service {quote(name)} in the mesh {quote(mesh)}")
        rows = list(splits.service_rows(self._store.state, service))
        targets = targets_of_rows(rows)
        query = HistoryQuery.of_last(seconds, time.time(), mesh, query_clusters(targets))
        answer = await self._replicas.query(StateQuery(history=query))
        counted_by, found = series(targets, answer.state.history, query)
        document: dict[str, Any] = {
            "step": query.step,
            "begin": query.begin,
            "countedBy": counted_by,
            "series": found,
            "weights": self._weights.since(rows, query.begin),
        }
        return JSONResponse({**document, "replicas": answer.counts()} if self._replicas.several else document)


def _text(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise HTTPException(400, f"{name} is missing: ask for ?mesh=MESH&virtualService=NAME")
    return value
