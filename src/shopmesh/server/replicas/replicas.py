"""All replicas as one: asks them at once, bounded in time, and says who did not answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.errors import BadRequest, MethodNotAllowed
from shopmesh.server.api.app_mesh import LARGE_BODY, Endpoint
from shopmesh.server.api.body import read
from shopmesh.server.replicas.local import LONGEST_WAIT, Local
from shopmesh.server.replicas.merge import merged
from shopmesh.server.replicas.peer_protocol import MalformedError, Question, Told

log = logging.getLogger(__name__)

PATH = "/shopmesh/v1/replica"
FORWARDED = "x-shopmesh-forwarded"
"""The header of a request that was handed on; nobody hands it on once more."""
ANSWER_SECONDS = 1.5
"""A replica that takes longer is told to be missing, so that nobody waits for one that has gone."""


class Peer(NamedTuple):
    """Where a replica listens, this one among them."""

    host: str
    port: int

    @classmethod
    def named(cls, text: str) -> Peer:
        """`control-plane-replicas:9080`; ValueError when it is none."""
        host, colon, port = text.strip().rpartition(":")
        if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"{text!r} is no host name with a port, such as control-plane-replicas:9080")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class PeerError(Exception):
    """No usable answer came; the message says why."""


class Peers(Protocol):
    """How other replicas are found and asked."""

    async def find(self) -> Sequence[Peer]:
        """All replicas that there are now; raises PeerError when that cannot be known."""

    async def send(self, peer: Peer, path: str, body: bytes, seconds: float, forwarded: bool = False) -> Response:
        """What it answers to a POST; raises PeerError."""

    async def close(self) -> None:
        """Lets go of its connections."""


class Missing(NamedTuple):
    """A replica that did not answer, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What those that answered know together."""

    told: Told
    asked: int = 1
    missing: tuple[Missing, ...] = ()

    @property
    def answered(self) -> int:
        return self.asked - len(self.missing)

    def counts(self) -> dict[str, int]:
        """As clients see it."""
        return {"asked": self.asked, "answered": self.answered}


class Replicas:
    """This replica and the others; without `peers` there are no others, and nothing is asked."""

    def __init__(self, local: Local, peers: Peers | None = None) -> None:
        self.id = local.id
        self._local = local
        self._peers = peers
        self._ids: dict[Peer, str] = {}
        """Who answers where; so a replica knows itself among those that are found."""

    @property
    def several(self) -> bool:
        """Whether there may be others."""
        return self._peers is not None

    async def ask(self, question: Question) -> Answer:
        """What all know."""
        own = self._local.tell(question)
        if self._peers is None:
            return Answer(own)
        if own.changes:
            # What others wrote at once with the first of ours may have begun before it.
            question = replace(question, changes=own.changes[0].after)
        return self._together(own, await self._others(question, ANSWER_SECONDS))

    async def converged(self, revision: int, seconds: float) -> Answer:
        """Waits so long until the proxies of all have that revision; `told.converged` is whether they have."""
        if self._peers is None:
            return Answer(self._local.tell(Question(), await self._local.converged(revision, seconds)))
        seconds = min(seconds, LONGEST_WAIT)
        question = Question(converged=revision, wait=seconds)
        here, others = await asyncio.gather(
            self._local.converged(revision, seconds), self._others(question, seconds + ANSWER_SECONDS)
        )
        return self._together(self._local.tell(Question(), here), others)

    async def forward(self, identity: str, path: str, body: bytes, seconds: float) -> Response:
        """What the replica of that id answers to a POST; raises PeerError when there is none, or no answer."""
        if self._peers is None:
            raise PeerError("there are no other replicas")
        for known in (True, False):
            if not known:
                await self._others(Question(), ANSWER_SECONDS)
            for peer, found in self._ids.items():
                if found == identity:
                    return await self._peers.send(peer, path, body, seconds, forwarded=True)
        raise PeerError(f"no replica answers under the name {identity}")

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, Endpoint(self._answer))]

    async def close(self) -> None:
        if self._peers is not None:
            await self._peers.close()

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """What another replica is told."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['method']} is not allowed here, POST is", ("POST",))
        try:
            question = Question.of(rest_json.load_object(await read(scope, receive)))
        except MalformedError as error:
            raise BadRequest(str(error)) from error
        converged = question.converged is None or await self._local.converged(question.converged, question.wait)
        return Response(200, rest_json.to_json(self._local.tell(question, converged).to_document()))

    def _together(self, own: Told, others: Sequence[Told | Missing]) -> Answer:
        heard = [one for one in others if isinstance(one, Told)]
        missing = tuple(one for one in others if isinstance(one, Missing))
        return Answer(merged(own, heard), 1 + len(others), missing)

    async def _others(self, question: Question, seconds: float) -> list[Told | Missing]:
        assert self._peers is not None  # noqa: S101  # those who call this have looked
        try:
            peers = await self._peers.find()
        except PeerError as error:
            return [Missing("of the control plane", str(error))]
        self._ids = {peer: found for peer, found in self._ids.items() if peer in peers}
        body = rest_json.to_json(question.to_document())
        answers = await asyncio.gather(
            *(self._ask(peer, question, body, seconds) for peer in peers if self._ids.get(peer) != self.id)
        )
        return [one for one in answers if isinstance(one, Missing) or one.id != self.id]

    async def _ask(self, peer: Peer, question: Question, body: bytes, seconds: float) -> Told | Missing:
        assert self._peers is not None  # noqa: S101  # as above
        try:
            response = await self._peers.send(peer, PATH, body, seconds)
            if response.status != 200:
                raise PeerError(f"it answers {response.status}: {response.body[:200].decode(errors='replace')}")
            told = Told.of(await _parsed(response.body))
            if len(told.counted) != len(question.spans):
                raise MalformedError("it answers other spans than it was asked for")
        except (PeerError, ValueError) as error:
            log.debug("replica %s: %s", peer, error)
            return Missing(str(peer), str(error))
        self._ids[peer] = told.id
        return told


async def _parsed(body: bytes) -> Any:
    return await asyncio.to_thread(json.loads, body) if len(body) > LARGE_BODY else json.loads(body)
