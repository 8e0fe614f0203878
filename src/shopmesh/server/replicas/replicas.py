"""All replicas as one: queries them at the same time, with a time limit, and reports those that did not answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.errors import BadRequest, MethodNotAllowed
from shopmesh.server.api.app_mesh import LARGE_BODY, Endpoint
from shopmesh.server.api.author import author_of
from shopmesh.server.api.body import header, read
from shopmesh.server.replicas.local import LONGEST_WAIT, LocalReplica
from shopmesh.server.replicas.merge import merge_states
from shopmesh.server.replicas.peer_protocol import MalformedError, ReplicaState, StateQuery
from shopmesh.server.store.author import UNKNOWN, Author, parse_author

log = logging.getLogger(__name__)

PATH = "/shopmesh/v1/replica"
FORWARDED = "x-shopmesh-forwarded"
"""The header of a request that was forwarded, which is never forwarded again: door and name of its author, or `1`."""
ANSWER_SECONDS = 1.5
"""Seconds after which a replica that has not answered is reported as unreachable."""


class Peer(NamedTuple):
    """An address of a replica; this one's is among them."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Reads `control-plane-replicas:9080`; raises ValueError for anything else."""
        host, colon, port = text.strip().rpartition(":")
        if not (host and colon and re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
            raise ValueError(f"{text!r} is not a host name with a port, such as control-plane-replicas:9080")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class PeerError(Exception):
    """A replica gave no usable answer; the message says why."""


class Peers(Protocol):
    """Finds and queries other replicas."""

    async def find(self) -> Sequence[Peer]:
        """All present replicas; raises PeerError when they cannot be found."""

    async def send(
        self, peer: Peer, path: str, body: bytes, seconds: float, forwarded_for: Author | None = None
    ) -> Response:
        """The response to a POST, forwarded for another author or this replica's own; raises PeerError."""

    async def close(self) -> None:
        """Closes its connections."""


class UnreachableReplica(NamedTuple):
    """A replica that did not answer, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class CombinedState:
    """The combined state of the replicas that answered."""

    state: ReplicaState
    asked: int = 1
    unreachable: tuple[UnreachableReplica, ...] = ()

    @property
    def answered(self) -> int:
        return self.asked - len(self.unreachable)

    def counts(self) -> dict[str, int]:
        """Its JSON for clients."""
        return {"asked": self.asked, "answered": self.answered}


class Replicas:
    """This replica and the others; without `peers` there are no others."""

    def __init__(self, local: LocalReplica, peers: Peers | None = None, access_key: str | None = None) -> None:
        """`access_key` is the one by which replicas sign; None where requests are not signed."""
        self.id = local.id
        self._access_key = access_key
        self._local = local
        self._peers = peers
        self._ids: dict[Peer, str] = {}
        """The id of the replica at each address, by which a replica recognises itself."""

    @property
    def several(self) -> bool:
        """Whether there may be other replicas."""
        return self._peers is not None

    async def query(self, query: StateQuery) -> CombinedState:
        """The combined state of all replicas."""
        own = await self._local.answer(query)
        if self._peers is None:
            return CombinedState(own)
        if own.changes:
            # Changes of other replicas may have begun before the first of ours.
            query = replace(query, changes=own.changes[0].after)
        return self._combine(own, await self._query_others(query, ANSWER_SECONDS))

    async def wait_until_converged(self, revision: int, seconds: float) -> CombinedState:
        """Waits until the proxies of all replicas have that revision; after `seconds`, `state.converged` is False."""
        if self._peers is None:
            return CombinedState(
                self._local.state_for(StateQuery(), await self._local.wait_until_converged(revision, seconds))
            )
        seconds = min(seconds, LONGEST_WAIT)
        query = StateQuery(converged=revision, wait=seconds)
        here, others = await asyncio.gather(
            self._local.wait_until_converged(revision, seconds), self._query_others(query, seconds + ANSWER_SECONDS)
        )
        return self._combine(self._local.state_for(StateQuery(), here), others)

    async def forward(
        self, identity: str, path: str, body: bytes, seconds: float, author: Author = UNKNOWN
    ) -> Response:
        """The response of the replica with that id to a POST by `author`; raises PeerError when there is none."""
        if self._peers is None:
            raise PeerError("there are no other replicas")
        for known in (True, False):
            if not known:
                await self._query_others(StateQuery(), ANSWER_SECONDS)
            for peer, found in self._ids.items():
                if found == identity:
                    return await self._peers.send(peer, path, body, seconds, forwarded_for=author)
        raise PeerError(f"no replica with the name {identity} answers")

    def author_of(self, scope: Scope) -> Author:
        """The author of a request, which another replica may have forwarded."""
        author = author_of(scope)
        forwarded = header(scope, FORWARDED.encode())
        if forwarded is None or author.name != self._access_key:
            # A client cannot claim to be another one by that header, unless it has the key of the replicas.
            return author
        door, _, name = forwarded.decode("latin-1").partition(" ")
        claimed = parse_author(name or None, door)
        return author if claimed.door is None else claimed

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, Endpoint(self._answer))]

    async def close(self) -> None:
        if self._peers is not None:
            await self._peers.close()

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """Answers the state query of another replica."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['method']} is not allowed here, POST is", ("POST",))
        try:
            query = StateQuery.from_document(rest_json.load_object(await read(scope, receive)))
        except MalformedError as error:
            raise BadRequest(str(error)) from error
        converged = query.converged is None or await self._local.wait_until_converged(query.converged, query.wait)
        return Response(200, rest_json.to_json((await self._local.answer(query, converged)).to_document()))

    def _combine(self, own: ReplicaState, others: Sequence[ReplicaState | UnreachableReplica]) -> CombinedState:
        heard = [one for one in others if isinstance(one, ReplicaState)]
        missing = tuple(one for one in others if isinstance(one, UnreachableReplica))
        return CombinedState(merge_states(own, heard), 1 + len(others), missing)

    async def _query_others(self, query: StateQuery, seconds: float) -> list[ReplicaState | UnreachableReplica]:
        assert self._peers is not None  # noqa: S101  # those who call this have looked
        try:
            peers = await self._peers.find()
        except PeerError as error:
            return [UnreachableReplica("of the control plane", str(error))]
        self._ids = {peer: found for peer, found in self._ids.items() if peer in peers}
        body = rest_json.to_json(query.to_document())
        answers = await asyncio.gather(
            *(self._query_peer(peer, query, body, seconds) for peer in peers if self._ids.get(peer) != self.id)
        )
        return [one for one in answers if isinstance(one, UnreachableReplica) or one.id != self.id]

    async def _query_peer(
        self, peer: Peer, query: StateQuery, body: bytes, seconds: float
    ) -> ReplicaState | UnreachableReplica:
        assert self._peers is not None  # noqa: S101  # as above
        try:
            response = await self._peers.send(peer, PATH, body, seconds)
            if response.status != 200:
                raise PeerError(f"it answers {response.status}: {response.body[:200].decode(errors='replace')}")
            state = ReplicaState.from_document(await _parse(response.body))
            if len(state.counted) != len(query.spans):
                raise MalformedError("its response does not have the requested spans")
        except (PeerError, ValueError) as error:
            log.debug("replica %s: %s", peer, error)
            return UnreachableReplica(str(peer), str(error))
        self._ids[peer] = state.id
        return state


async def _parse(body: bytes) -> Any:
    return await asyncio.to_thread(json.loads, body) if len(body) > LARGE_BODY else json.loads(body)
