"""The status API under /shopmesh/v1/, for what App Mesh's API does not have: proxies, splits, findings, changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.running import STORE_LOST_CHANGES, UNREACHABLE_REPLICA
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Key
from shopmesh.server.api.author import author_of
from shopmesh.server.api.query import number
from shopmesh.server.grpc.proxies import Proxies
from shopmesh.server.http.event_streams import wait_for_any
from shopmesh.server.live_findings import LiveFindings, ProxyChecks, no_extra_findings
from shopmesh.server.replicas import ChangeStatus, CombinedState, Replicas, StateQuery
from shopmesh.server.replicas.merge import change_of_revision
from shopmesh.server.replicas.peer_protocol import proxy_document
from shopmesh.server.store.store import Store
from shopmesh.server.traffic import splits
from shopmesh.server.traffic.figures import Caller, Figures
from shopmesh.xds.instances import withdraw
from shopmesh.xds.node import Identity

DEFAULT_WINDOW = 10.0
LONGEST_WAIT = 60.0
MOST_STREAMS = 64
"""The most open event streams; further ones are refused, so that forgotten browser tabs cannot exhaust the server."""
MOST_DIGITS = 18
"""Digits of a revision; enough for 64 bits."""
STILL_HERE_SECONDS = 15.0
ASK_AGAIN_SECONDS, ASK_PAUSE_SECONDS = 1.0, 0.1
"""Seconds after which an event stream queries other replicas again: usually, and at the earliest."""


class StatusApi:
    """The reading routes below /shopmesh/v1/, and the one that withdraws a proxy.

    Proxies and their counts are collected from all replicas; a response says how many replicas answered.
    """

    def __init__(
        self,
        store: Store,
        proxies: Proxies,
        figures: Figures,
        replicas: Replicas,
        stopping: asyncio.Event,
        extra_findings: ProxyChecks = no_extra_findings,
        host_policy: HostPolicy = STRICT,
    ) -> None:
        """Event streams end when `stopping` is set. `extra_findings` adds what `LiveFindings` cannot see."""
        self._extra_findings = extra_findings
        self._store = store
        self._proxies = proxies
        self._figures = figures
        self._replicas = replicas
        self._stopping = stopping
        self._streams = 0
        self._found = LiveFindings(store.state, host_policy)
        store.subscribe(self._found.on_commit)

    def routes(self) -> list[Route]:
        return [
            Route("/shopmesh/v1/proxies", self._list_proxies),
            Route("/shopmesh/v1/proxies/{mesh}/{kind}/{name}/{instance}", self._withdraw, methods=["DELETE"]),
            Route("/shopmesh/v1/splits", self._splits),
            Route("/shopmesh/v1/figures", self._counts),
            Route("/shopmesh/v1/findings", self._findings),
            Route("/shopmesh/v1/changes", self._changes),
            Route("/shopmesh/v1/changes/{revision}", self._change),
        ]

    async def _list_proxies(self, _: Request) -> Response:
        answer = await self._replicas.query(StateQuery(proxies=True))
        return self._response(answer, {"proxies": [proxy_document(status) for status in answer.state.proxies]})

    async def _withdraw(self, request: Request) -> Response:
        mesh, kind, name, instance = (request.path_params[part] for part in ("mesh", "kind", "name", "instance"))
        identity = Identity(mesh, kind, name, instance)
        found = await self._store.submit(
            lambda transaction: withdraw(transaction, identity, time.time()), author_of(request.scope)
        )
        if not found:
            raise HTTPException(404, f"no instance {instance} of {kind} {name} is declared in the mesh {mesh}")
        self._figures.forget(Caller(mesh, kind, name), instance)
        return JSONResponse({"revision": self._store.revision})

    async def _splits(self, request: Request) -> Response:
        begin, window = _span(request)
        mesh = request.query_params.get("mesh")
        # Whoever names a time wants all since then.
        begins = (begin,) if "since" in request.query_params else splits.count_begins(self._store.state, begin, mesh)
        answer = await self._replicas.query(StateQuery(spans=begins))
        counted = dict(zip(begins, answer.state.counted, strict=True))
        found = splits.splits(self._store.state, counted, mesh)
        return self._response(answer, {"window": window, "since": begin, "splits": found})

    async def _counts(self, request: Request) -> Response:
        begin, window = _span(request)
        answer = await self._replicas.query(StateQuery(spans=(begin,)))
        found = splits.counts(answer.state.counted[0], request.query_params.get("mesh"))
        return self._response(answer, {"window": window, "figures": found})

    async def _findings(self, request: Request) -> Response:
        """All findings, or those of the requested mesh together with those that concern no mesh."""
        mesh = request.query_params.get("mesh")
        answer = await self._replicas.query(StateQuery(proxies=True))
        found = [one.to_document() for one in await self.findings(answer) if mesh is None or one.mesh in ("", mesh)]
        return self._response(answer, {"findings": found})

    async def findings(self, answer: CombinedState) -> list[Finding]:
        """The findings about the proxies of all replicas, and the replicas that did not answer."""
        state = answer.state
        found = await self._found.collect(state.proxies, state.findings, state.certificate_days)
        found += self._extra_findings(state.proxies)
        found += [
            UNREACHABLE_REPLICA.at(Key("replica", (one.name,)), f"did not answer: {one.why}")
            for one in answer.unreachable
        ]
        found += [STORE_LOST_CHANGES.at(Key("store", (one.store,)), one.what) for one in self._store.losses()]
        return sorted(found, key=lambda one: one.sort_key)

    async def _changes(self, request: Request) -> Response:
        after = int(number(request, "after", 0.0))
        if "text/event-stream" in request.headers.get("accept", ""):
            if self._streams >= MOST_STREAMS:
                raise HTTPException(503, f"{MOST_STREAMS} event streams are open already; close one")
            return StreamingResponse(self._events(after), media_type="text/event-stream")
        answer = await self._replicas.query(StateQuery(changes=after))
        changes = [change.to_document() for change in answer.state.changes]
        return self._response(answer, {"revision": answer.state.revision, "changes": changes})

    async def _change(self, request: Request) -> Response:
        revision = _revision(request.path_params["revision"])
        wait = min(number(request, "wait", 0.0), LONGEST_WAIT)
        converged = (await self._replicas.wait_until_converged(revision, wait)).state.converged
        answer = await self._replicas.query(StateQuery(changes=max(revision - 1, 0)))
        if (change := change_of_revision(answer.state, revision, converged, time.time())) is not None:
            return self._response(answer, change.to_document())
        raise HTTPException(404, f"change {revision} does not exist; the newest is {answer.state.revision}")

    def _response(self, answer: CombinedState, document: dict[str, Any]) -> Response:
        return JSONResponse({**document, "replicas": answer.counts()} if self._replicas.several else document)

    async def _events(self, after: int) -> AsyncIterator[str]:
        """One event for each change when it has converged; a comment every 15 s keeps the stream open.

        Local events wake it. It then queries the other replicas, and repeats that once a second while a change is
        pending.
        """
        self._streams += 1
        moved = asyncio.Event()
        self._proxies.subscribe(moved.set)
        sent: set[tuple[int, tuple[str, ...]]] = set()
        try:
            while not self._stopping.is_set():
                moved.clear()
                waiting: list[ChangeStatus] = []
                changes = (await self._replicas.query(StateQuery(changes=after))).state.changes
                for change in changes:
                    this = (change.revision, change.resources)
                    if not change.converged:
                        waiting.append(change)
                    elif this not in sent:
                        sent.add(this)
                        yield f"id: {change.revision}\nevent: change\ndata: {json.dumps(change.to_document())}\n\n"
                if changes:
                    # Several changes may share a revision, which is finished when all of them have been sent.
                    after = waiting[0].after if waiting else changes[-1].revision
                sent = {this for this in sent if this[0] > after}
                asking = bool(waiting) and self._replicas.several
                if self._replicas.several:
                    await asyncio.sleep(ASK_PAUSE_SECONDS)
                seconds = ASK_AGAIN_SECONDS if asking else STILL_HERE_SECONDS
                if not await wait_for_any(moved, self._stopping, timeout=seconds) and not asking:
                    yield ": still here\n\n"
        finally:
            self._proxies.unsubscribe(moved.set)
            self._streams -= 1


def _span(request: Request) -> tuple[float, float]:
    """Since when to count, and how many seconds that is: `since` (seconds since 1970) or `window` (seconds)."""
    now = time.time()
    if "since" in request.query_params:
        begin = number(request, "since", now)
        return begin, max(0.0, now - begin)
    window = number(request, "window", DEFAULT_WINDOW)
    return now - window, window


def _revision(text: str) -> int:
    """The number of a change; raises HTTPException 404 for text that cannot be one."""
    # A converter of Starlette's would pass thousands of digits to int(), which takes 4,300.
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise HTTPException(404, f"{quote(text)} is not the number of a change, which has at most {MOST_DIGITS} digits")
    return int(text)
