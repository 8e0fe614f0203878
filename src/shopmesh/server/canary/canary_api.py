"""Canaries over HTTP, and their supervision by the control plane.

GET  /shopmesh/v1/canaries                            all, or those of a `mesh`
POST /shopmesh/v1/canaries                            begins one
GET  /shopmesh/v1/canaries/{mesh}/{router}/{route}    one, with the counts of its stage
POST /shopmesh/v1/canaries/{mesh}/{router}/{route}    {"action": "renew" | "advance" | "roll back" | …}

Without a request: a canary whose lease ends is rolled back, one whose route is changed by another client is stopped,
and one whose route is deleted is removed. What several replicas do is explained in `shopmesh.server.canary`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from shopmesh.appmesh import resolved
from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import ApiError, BadRequest, Conflict, MethodNotAllowed, NotFound, ServiceUnavailable
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Key, Resource, Transaction, View
from shopmesh.canary import canary_state, plan, transitions
from shopmesh.canary.canary_state import Canary
from shopmesh.canary.judge import judge_document
from shopmesh.server.api.app_mesh import Endpoint
from shopmesh.server.api.body import header, read
from shopmesh.server.canary.leases import Leases
from shopmesh.server.canary.supervisor import JUDGE_SECONDS, LEASE_SECONDS, CanarySupervisor
from shopmesh.server.replicas import FORWARDED, SOLE_REPLICA, Leadership, PeerError, Replicas, StateQuery
from shopmesh.server.replicas.peer_protocol import MOST_SPANS, CallerCounts
from shopmesh.server.store.author import Author
from shopmesh.server.store.store import Commit, Store, StoreError
from shopmesh.server.traffic.figures import Counters
from shopmesh.server.traffic.splits import finite
from shopmesh.xds import names

log = logging.getLogger(__name__)

SUPERVISOR = Author(None, "canary")
"""The author of what happens without a request."""
AGAIN_SECONDS = 1.0
"""Seconds after which a rollback that could not be stored is tried again."""
FORWARD_SECONDS = 8.0
CATCH_UP_SECONDS = 1.0


class CanaryApi:
    """All canaries of a store; its timers belong to the running loop inside `supervising`."""

    def __init__(
        self, store: Store, context: Callable[[], Context], replicas: Replicas, leadership: Leadership = SOLE_REPLICA
    ) -> None:
        self._store = store
        self._context = context
        self._replicas = replicas
        self._leadership = leadership
        self._supervising = False
        self._leading = False
        self._leases = Leases(self._on_lease_expired)
        self._supervisor = CanarySupervisor(self, JUDGE_SECONDS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._committed = asyncio.Event()
        store.subscribe(self._on_commit)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/shopmesh/v1/canaries", Endpoint(self._all)),
            Route("/shopmesh/v1/canaries/{mesh}/{router}/{route}", Endpoint(self._one)),
        ]

    @contextlib.asynccontextmanager
    async def supervising(self) -> AsyncIterator[None]:
        """Supervises all stored canaries inside an `async with` block, whenever this replica leads."""
        self._leadership.subscribe(self._on_leadership_change)
        self._supervising = True
        self._on_leadership_change()
        try:
            yield
        finally:
            self._supervising = False
            tasks = [*self._tasks]
            self._on_leadership_change()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _on_leadership_change(self) -> None:
        leading = self._supervising and self._leadership.leading
        if leading == self._leading:
            return
        self._leading = leading
        # Rules 3 and 4 of `shopmesh.server.canary`.
        if not leading:
            self._leases.close()
            self._supervisor.clear()
            for task in self._tasks:
                task.cancel()
            return
        self._start_task(self._supervisor.run())
        for resource in [one for one in self._store.state if one.key.kind == canary_state.KIND]:
            if (canary := _canary_or_none(resource)) is not None:
                self._update_lease(resource.key, canary)
                self._start_transition(resource.key, transitions.reconcile)

    async def documents(self, mesh: str | None = None) -> list[dict[str, Any]]:
        """All canaries, or those of a mesh, each with the counts of its stage."""
        stored = [one for one in self._store.state if one.key.kind == canary_state.KIND]
        keys = [one.key for one in stored if _canary_or_none(one) is not None]
        return await self._documents([key for key in sorted(keys) if mesh in (None, key.mesh)])

    async def _all(self, scope: Scope, receive: Receive) -> Response:
        match scope["method"]:
            case "GET" | "HEAD":
                query = dict(part.partition("=")[::2] for part in scope["query_string"].decode("latin-1").split("&"))
                return Response(200, rest_json.to_json({"canaries": await self.documents(query.get("mesh"))}))
            case "POST":
                return await self._on_leader(scope, receive, self._start)
        raise MethodNotAllowed(f"{scope['method']} is not allowed here, GET and POST are", ("GET", "POST"))

    async def _one(self, scope: Scope, receive: Receive) -> Response:
        path = scope["path_params"]
        route = Key("route", (path["mesh"], path["router"], path["route"]))
        match scope["method"]:
            case "GET" | "HEAD":
                return Response(200, rest_json.to_json(await self._document_of(canary_state.key(route))))
            case "POST":
                return await self._on_leader(scope, receive, lambda asked, author: self._act(route, asked, author))
        raise MethodNotAllowed(f"{scope['method']} is not allowed here, GET and POST are", ("GET", "POST"))

    async def _on_leader(
        self, scope: Scope, receive: Receive, work: Callable[[dict[str, Any], Author], Awaitable[dict[str, Any]]]
    ) -> Response:
        """Runs `work` if this replica leads, else forwards the request to the leader and returns its response."""
        body, author = await read(scope, receive), self._replicas.author_of(scope)
        if self._leading and self._leadership.leading:
            return Response(200, rest_json.to_json(await work(rest_json.load_object(body), author)))
        leader = self._leadership.holder
        if leader is None or leader == self._replicas.id or header(scope, FORWARDED.encode()) is not None:
            return _no_leader_response("no replica of the control plane is the leader at the moment")
        try:
            path = scope["raw_path"].decode("latin-1")
            answer = await self._replicas.forward(leader, path, body, FORWARD_SECONDS, author)
        except PeerError as error:
            return _no_leader_response(f"the leader of the control plane does not answer: {error}")
        if answer.status == 200:
            await self._wait_for_revision_of(answer)
        return answer

    async def _wait_for_revision_of(self, answer: Response) -> None:
        """Waits until this replica has read what the leader wrote, so that the next GET here shows it."""
        revision = json.loads(answer.body)["revision"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while self._store.revision < revision:
                    self._committed.clear()
                    await self._committed.wait()

    async def _start(self, asked: dict[str, Any], author: Author) -> dict[str, Any]:
        try:
            wanted = plan.from_document(asked.get("plan"))
        except plan.CanaryPlanError as error:
            raise BadRequest(f"plan: {error}") from error
        route = Key("route", tuple(_text(asked, name) for name in ("mesh", "virtualRouter", "route")))
        service, owner = _text(asked, "service"), _text(asked, "owner")
        lease = asked.get("lease", LEASE_SECONDS if owner == canary_state.CONTROL_PLANE else None)
        shortest, longest = canary_state.MIN_LEASE, canary_state.MAX_LEASE
        if isinstance(lease, bool) or not isinstance(lease, int | float) or not shortest <= lease <= longest:
            raise BadRequest(f"lease: {lease!r} is not a number of seconds from {shortest:g} to {longest:g}")
        await self._store.submit(
            lambda t: transitions.start(route, service, wanted, owner, lease, t, self._context()), author
        )
        return await self._document_of(canary_state.key(route))

    async def _act(self, route: Key, asked: dict[str, Any], author: Author) -> dict[str, Any]:
        action, key = _text(asked, "action"), canary_state.key(route)
        canary = self._canary(key)
        if action == "renew":
            if canary.running:
                if asked.get("owner") != canary.owner:
                    raise Conflict(f"another command supervises the canary of {describe(route)} now")
                self._leases.renew(key, canary.lease)
            return await self._document_of(key)
        seen = await self._traffic_of(key, canary)
        stage, reason = asked.get("stage"), str(asked.get("reason") or "by hand")[:1000]
        work: Callable[[Transaction, Context], Canary]
        match action:
            case "advance":
                at = stage if isinstance(stage, int) else canary.stage
                work = lambda t, c: transitions.advance(route, at, reason, seen, t, c)  # noqa: E731
            # The second word is that of earlier versions' clients.
            case "roll back" | "turn back":
                work = lambda t, c: transitions.roll_back(route, reason, seen, t, c)  # noqa: E731
            case "pause":
                work = lambda t, c: transitions.pause(route, t, c)  # noqa: E731
            case "resume":
                owner = _text(asked, "owner")
                work = lambda t, c: transitions.resume(route, owner, t, c)  # noqa: E731
            case _:
                raise BadRequest(f"action: {action!r} is not an action; use renew, advance, roll back, pause or resume")
        await self._store.submit(lambda transaction: work(transaction, self._context()), author)
        return await self._document_of(key)

    # called by the supervisor

    async def read(self, route: Key) -> dict[str, Any]:
        return await self._document_of(canary_state.key(route))

    async def act(self, route: Key, asked: dict[str, Any]) -> None:
        # Rule 5 of `shopmesh.server.canary`.
        if not self._leadership.leading:
            raise ServiceUnavailable("this replica of the control plane leads no longer")
        await self._act(route, asked, SUPERVISOR)

    def renew(self, route: Key) -> None:
        key = canary_state.key(route)
        if self._leading and (canary := self._canary(key)).running:
            self._leases.renew(key, canary.lease)

    def _canary(self, key: Key) -> Canary:
        found = self._store.state.get(key)
        canary = None if found is None else _canary_or_none(found)
        if canary is None:
            raise _no_canary(key)
        return canary

    async def _document_of(self, key: Key) -> dict[str, Any]:
        for shown in await self._documents([key]):
            return shown
        raise _no_canary(key)

    async def _documents(self, keys: Sequence[Key]) -> list[dict[str, Any]]:
        """The documents of the canaries that still exist after all replicas were asked for their counts."""
        spans = sorted({self._canary(key).since for key in keys})
        counted: dict[float, CallerCounts] = {}
        counts: dict[str, int] = {}
        for start in range(0, len(spans), MOST_SPANS):
            some = tuple(spans[start : start + MOST_SPANS])
            answer = await self._replicas.query(StateQuery(spans=some))
            counted |= zip(some, answer.state.counted, strict=True)
            counts = {**answer.counts(), "answered": min(counts.get("answered", answer.asked), answer.answered)}
        more = {"replicas": counts} if self._replicas.several else {}
        found = [(key, resource) for key in keys if (resource := self._store.state.get(key)) is not None]
        readable = [(key, canary) for key, one in found if (canary := _canary_or_none(one)) is not None]
        return [self._document(key, canary, counted, more) for key, canary in readable]

    def _document(
        self, key: Key, canary: Canary, counted: Mapping[float, CallerCounts], replicas: Mapping[str, Any]
    ) -> dict[str, Any]:
        mesh, router, route = key.path
        found = {
            **canary_state.to_document(canary),
            "mesh": mesh,
            "virtualRouter": router,
            "route": route,
            "called": canary.plan.stage_label(canary.stage),
            "weight": canary.weight,
            "now": self._context().now,
            "revision": self._store.revision,
            # A stage that has just begun has no counts yet.
            "seen": stage_traffic(self._store.state, key, canary, counted.get(canary.since, ())),
            **replicas,
        }
        verdict = judge_document(found)._asdict() if canary.running else None
        return {**found, "verdict": verdict}

    async def _traffic_of(self, key: Key, canary: Canary) -> dict[str, Any]:
        """The counts of both versions since the stage began."""
        answer = await self._replicas.query(StateQuery(spans=(canary.since,)))
        return stage_traffic(self._store.state, key, canary, answer.state.counted[0])

    def _on_commit(self, commit: Commit) -> None:
        self._committed.set()
        if not self._leading:
            return
        for change in commit.changes:
            if change.key.kind == canary_state.KIND:
                self._update_lease(change.key, None if change.after is None else _canary_or_none(change.after))
            elif change.key.kind == "route" and self._store.state.get(canary_state.key(change.key)) is not None:
                self._start_transition(canary_state.key(change.key), transitions.reconcile)

    def _update_lease(self, key: Key, canary: Canary | None) -> None:
        if canary is not None and canary.running and canary.owner == canary_state.CONTROL_PLANE:
            self._supervisor.add(canary_state.route_of(key))
        else:
            self._supervisor.remove(canary_state.route_of(key))
        if canary is None or not canary.running:
            self._leases.end(key)
        elif key not in self._leases:
            self._leases.renew(key, canary.lease)

    def _on_lease_expired(self, key: Key) -> None:
        # Rule 5 of `shopmesh.server.canary`.
        if not self._leadership.leading:
            found = self._store.state.get(key)
            if found is not None and (canary := _canary_or_none(found)) is not None:
                self._leases.renew(key, canary.lease)
            return
        route = describe(canary_state.route_of(key))
        log.warning(
            "the lease of the canary of %s ended without a renewal; rolling it back; "
            "`shopmesh canary SERVICE --resume` repeats the stage",
            route,
        )
        self._start_transition(key, transitions.expire)

    def _start_transition(self, key: Key, work: Callable[[Key, Transaction, Context], Canary | None]) -> None:
        self._start_task(self._submit_until_done(key, work))

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until this replica leads no longer."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit_until_done(self, key: Key, work: Callable[[Key, Transaction, Context], Canary | None]) -> None:
        route = canary_state.route_of(key)
        while True:
            try:
                await self._store.submit(lambda transaction: work(route, transaction, self._context()), SUPERVISOR)
                return
            except StoreError as error:
                log.error("the canary of %s: %s", describe(route), error)
            except ApiError as error:
                # A target to roll back to may be deleted: the route stays as it is, and an operator has to decide.
                log.error("the canary of %s: %s", describe(route), error.message)
                return
            except Exception:
                # An error with one canary must not end the supervision of the others.
                log.exception("the canary of %s of mesh %s cannot be supervised", describe(route), route.mesh)
                return
            await asyncio.sleep(AGAIN_SECONDS)


def stage_traffic(view: View, key: Key, canary: Canary, counted: CallerCounts) -> dict[str, Any]:
    """The counts of the callers' Envoys for the canary and the stable version since the stage began.

    `counted` has all counts since then. While requests are mirrored, the copies count for the canary.
    """
    route = view.get(canary_state.route_of(key))
    clusters: dict[str, str] = {}
    for target in resolved.route(view, route).weights if route is not None else ():
        version = "canary" if target.node == canary.plan.to else "stable"
        copies = version == "canary" and canary.in_stage("mirror")
        clusters[names.stat_name(names.egress_cluster(target._replace(mirror=copies)))] = version
    tallies = {"canary": Counters(), "stable": Counters()}
    for caller, cluster, tally in counted:
        if caller.mesh == key.mesh and cluster in clusters:
            tallies[clusters[cluster]].add(tally)
    return {version: _counts(tally, canary.plan.max_p99) for version, tally in tallies.items()}


def _counts(tally: Counters, max_p99: float | None) -> dict[str, Any]:
    """The numbers of a verdict; a proxy may report more errors than requests, then only as many as requests count."""
    requests = int(tally.requests)
    return {
        "requests": requests,
        "errors": min(int(tally.errors), requests),
        "slower": min(tally.slower(max_p99), requests) if max_p99 is not None else 0,
        "p99": finite(tally.quantile(0.99)),
    }


def _canary_or_none(resource: Resource) -> Canary | None:
    """The canary in a resource of the store; None, and an error in the log, if its record is malformed."""
    try:
        return canary_state.from_resource(resource)
    except canary_state.CanaryStateError as error:
        route = canary_state.route_of(resource.key)
        log.error(
            "the record of the canary of %s of mesh %s cannot be read, so it is not supervised: %s; "
            "start a new canary on the route, or delete the route",
            describe(route),
            route.mesh,
            error,
        )
        return None


def _no_canary(key: Key) -> NotFound:
    return NotFound(f"{describe(canary_state.route_of(key))} of mesh {key.mesh} has no canary")


def _no_leader_response(message: str) -> Response:
    refused = rest_json.error_response(ServiceUnavailable(f"{message}; ask again in a moment"))
    return Response(refused.status, refused.body, {**refused.headers, "retry-after": "1"})


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 255:
        raise BadRequest(f"{name}: {value!r} is not text of 1 to 255 characters")
    return value
