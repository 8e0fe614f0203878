"""What App Mesh's API has no words for, served beside it under /shopmesh/v1/: proxies, splits, findings, changes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shopmesh.server import splits
from shopmesh.server.figures import Caller, Figures
from shopmesh.server.findings import Findings
from shopmesh.server.proxies import Change, Proxies, ProxyStatus
from shopmesh.server.store import Store
from shopmesh.xds.instances import withdraw
from shopmesh.xds.node import Identity

DEFAULT_WINDOW = 10.0
LONGEST_WAIT = 60.0
MOST_STREAMS = 64
"""Open event streams; one more is refused, so that forgotten browsers cannot pile up."""


class Observe:
    """The routes below /shopmesh/v1/ that read; and the one that withdraws a proxy."""

    def __init__(self, store: Store, proxies: Proxies, figures: Figures) -> None:
        self._store = store
        self._proxies = proxies
        self._figures = figures
        self._streams = 0
        self.found = Findings(store.state, proxies.statuses, proxies.limitations, figures.certificate_days)
        store.subscribe(self.found.committed)

    def routes(self) -> list[Route]:
        return [
            Route("/shopmesh/v1/proxies", self._list_proxies),
            Route("/shopmesh/v1/proxies/{mesh}/{kind}/{name}/{instance}", self._withdraw, methods=["DELETE"]),
            Route("/shopmesh/v1/splits", self._splits),
            Route("/shopmesh/v1/figures", self._counts),
            Route("/shopmesh/v1/findings", self._findings),
            Route("/shopmesh/v1/changes", self._changes),
            Route("/shopmesh/v1/changes/{revision:int}", self._change),
        ]

    async def _list_proxies(self, _: Request) -> Response:
        return JSONResponse({"proxies": [_proxy(status) for status in self._proxies.statuses()]})

    async def _withdraw(self, request: Request) -> Response:
        mesh, kind, name, instance = (request.path_params[part] for part in ("mesh", "kind", "name", "instance"))
        identity = Identity(mesh, kind, name, instance)
        found = await self._store.submit(lambda transaction: withdraw(transaction, identity, time.time()))
        if not found:
            raise HTTPException(404, f"no instance {instance} of {kind} {name} is declared in the mesh {mesh}")
        self._figures.forget(Caller(mesh, kind, name), instance)
        return JSONResponse({"revision": self._store.revision})

    async def _splits(self, request: Request) -> Response:
        begin, window = _span(request)
        counted = self._figures.since(begin)
        found = splits.splits(self._store.state, counted, request.query_params.get("mesh"))
        return JSONResponse({"window": window, "splits": found})

    async def _counts(self, request: Request) -> Response:
        begin, window = _span(request)
        found = splits.counts(self._figures.since(begin), request.query_params.get("mesh"))
        return JSONResponse({"window": window, "figures": found})

    async def _findings(self, request: Request) -> Response:
        """Of all meshes, or of the one asked for and of those that concern no mesh."""
        mesh = request.query_params.get("mesh")
        found = [one.to_document() for one in self.found.all() if mesh is None or one.mesh in ("", mesh)]
        return JSONResponse({"findings": found})

    async def _changes(self, request: Request) -> Response:
        after = int(_number(request, "after", 0.0))
        if "text/event-stream" in request.headers.get("accept", ""):
            if self._streams >= MOST_STREAMS:
                raise HTTPException(503, f"{MOST_STREAMS} event streams are open already; close one")
            return StreamingResponse(self._events(after), media_type="text/event-stream")
        changes = [_change(change) for change in self._proxies.changes if change.revision > after]
        return JSONResponse({"revision": self._store.revision, "changes": changes})

    async def _change(self, request: Request) -> Response:
        revision = request.path_params["revision"]
        wait = min(_number(request, "wait", 0.0), LONGEST_WAIT)
        if wait > 0:
            await self._proxies.converged(revision, wait)
        for change in self._proxies.changes:
            if change.revision == revision:
                return JSONResponse(_change(change))
        raise HTTPException(404, f"change {revision} is not known; the newest is {self._store.revision}")

    async def _events(self, after: int) -> AsyncIterator[str]:
        """One event a change, each when it has converged; a comment every 15 s keeps the stream open."""
        self._streams += 1
        moved = asyncio.Event()
        self._proxies.subscribe(moved.set)
        told: set[int] = set()
        try:
            while True:
                moved.clear()
                changes = list(self._proxies.changes)
                told &= {change.revision for change in changes}
                for change in changes:
                    if change.revision > after and change.converged and change.revision not in told:
                        told.add(change.revision)
                        yield f"id: {change.revision}\nevent: change\ndata: {json.dumps(_change(change))}\n\n"
                try:
                    await asyncio.wait_for(moved.wait(), 15)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._proxies.unsubscribe(moved.set)
            self._streams -= 1


def _span(request: Request) -> tuple[float, float]:
    """Since when to count, and how many seconds that is: `since` (seconds since 1970) or `window` (seconds)."""
    now = time.time()
    if "since" in request.query_params:
        begin = _number(request, "since", now)
        return begin, max(0.0, now - begin)
    window = _number(request, "window", DEFAULT_WINDOW)
    return now - window, window


def _number(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2**53:
        raise HTTPException(400, f"{name}={text!r} is not a number from 0 on")
    return value


def _proxy(status: ProxyStatus) -> dict[str, Any]:
    document = dataclasses.asdict(status)
    document["inStep"] = document.pop("in_step")
    return document


def _change(change: Change) -> dict[str, Any]:
    return {
        "revision": change.revision,
        "at": change.at,
        "resources": [f"{key.kind} {'/'.join(key.path)}" for key in change.keys],
        "proxies": dict(change.proxies),
        "converged": change.converged,
        "milliseconds": change.milliseconds,
    }
