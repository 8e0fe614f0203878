"""Calls to other services: in parallel, over pooled connections, with one deadline.

    ask({"customer": …, "product": …}) ──┬─ greenlet ─► customer ─┐
                                         └─ greenlet ─► product  ─┴─► the answers, or a PeerError
                                         ◄──────── deadline ──────►

The deadline is for the whole call: a socket's time-out restarts with every byte that a slow peer sends. A call that
exceeds the deadline is killed and its connection closed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import gevent
from flask import request
from urllib3.exceptions import HTTPError

from services.chassis.config import Config
from services.chassis.errors import BadPeerError, LatePeerError, PeerError
from services.chassis.middleware import REQUEST_CONTEXT, VERSION_HEADER, RequestContext
from services.chassis.peer_pool import PeerPool

# A peer's document has some hundred bytes; a larger body is an error.
MAX_BODY = 1 << 20
# How much of a failing peer's text an error quotes: enough for Envoy's "no healthy upstream".
MAX_QUOTE = 120
# Why an Envoy answered a request itself, as response flags: NR is "no route".
FLAGS_HEADER = "x-envoy-response-flags"
# Connections to each peer; further calls wait for one within their deadline.
POOL = 128


@dataclass(frozen=True)
class PeerAnswer:
    """A peer's answer: its raw body, and the JSON document in it (in its first line, if it has several)."""

    body: bytes
    document: Mapping[str, object]


class Peers:
    """The peers of one service, called by their URLs in `config`, through the sidecar's egress if a proxy is set."""

    def __init__(self, config: Config, *names: str) -> None:
        self._seconds = config.peer_timeout_seconds
        self._urls = {name: config.peer_url(name) for name in names}
        self._pools = {name: PeerPool(url, config.proxy, POOL) for name, url in self._urls.items()}

    def ask(self, paths: Mapping[str, str]) -> dict[str, PeerAnswer]:
        """Sends a GET to each peer in `paths` (peer → path) in parallel, as part of the current request.

        Returns the answers in the order of `paths`. Raises `BadPeerError` or `LatePeerError` with every failed peer.
        """
        context: RequestContext = request.environ[REQUEST_CONTEXT]
        jobs = {peer: gevent.spawn(self._get, context, peer, path) for peer, path in paths.items()}
        gevent.joinall(jobs.values(), timeout=self._seconds)
        if late := [job for job in jobs.values() if not job.ready()]:
            # `killall(late, timeout=1)` raises gevent's Timeout on a busy machine, which no error handler answers.
            gevent.killall(late, block=False)
            gevent.joinall(late, timeout=1)
        answers: dict[str, PeerAnswer] = {}
        failures: list[PeerError] = []
        for peer, job in jobs.items():
            if job in late:
                failures.append(LatePeerError(peer, f"gave no complete answer within {self._seconds:g} s"))
                continue
            outcome = job.get()
            if isinstance(outcome, PeerError):
                failures.append(outcome)
            else:
                answers[peer] = outcome
        if failures:
            raise failures[0].along_with(failures[1:])
        return answers

    def _get(self, context: RequestContext, peer: str, path: str) -> PeerAnswer | PeerError:
        """Runs in a greenlet; returns a failure instead of raising it, because gevent would print a traceback."""
        url = self._urls[peer] + path
        call = context.trace.call(peer, url)
        status: int | None = None
        error: str | None = "cut off at the deadline"
        try:
            response = self._pools[peer].get(path, call.headers)
            status = response.status
            body = response.read(MAX_BODY + 1, decode_content=True)
            if version := response.headers.get(VERSION_HEADER):
                context.peer_versions[peer] = version
            if status == 404 and "NR" in response.headers.get(FLAGS_HEADER, "").split(","):
                raise BadPeerError(peer, _no_route(url))
            answer, error = parse_answer(peer, status, body), None
        except PeerError as failure:
            error = str(failure)
            return failure
        except (HTTPError, OSError) as failure:
            error = describe_failure(failure)
            return BadPeerError(peer, error)
        else:
            return answer
        finally:
            call.end(status, error)


def parse_answer(peer: str, status: int, body: bytes) -> PeerAnswer:
    """Parses a response; raises `BadPeerError` for an unusable one."""
    if len(body) > MAX_BODY:
        raise BadPeerError(peer, f"answered more than {MAX_BODY} bytes")
    if status != 200:
        quote = body[:MAX_QUOTE].decode("utf-8", "replace").strip()
        raise BadPeerError(peer, f"answered {status}" + (f": {quote}" if quote else ""))
    try:
        documents = [json.loads(body)]
    except ValueError:
        documents = json_lines(body)
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise BadPeerError(peer, "answered something that is not a JSON object")
    return PeerAnswer(body, documents[0])


def json_lines(body: bytes) -> list[object]:
    """Parses a document per line, as a service with peers answers `GET /`; empty if any line is not JSON."""
    try:
        return [json.loads(line) for line in body.splitlines()]
    except ValueError:
        return []


def _no_route(url: str) -> str:
    """What a sidecar's 404 means: the request has not left it."""
    host = urlsplit(url).hostname
    return (
        f"was not called: the sidecar has no route to {host}; "
        "add it to the backends of this service's virtual node, or a route that matches"
    )


def describe_failure(failure: BaseException) -> str:
    """The cause in a few words; found by text, because the socket's error is wrapped several times."""
    text = str(failure)
    return next(
        (words for sign, words in _CAUSES.items() if sign in text), f"could not be called ({type(failure).__name__})"
    )


_CAUSES = {
    "Connection refused": "refused the connection",
    "reset": "broke the connection",
    "closed connection": "broke the connection",
    "IncompleteRead": "broke the connection",
    "Name or service not known": "has a name that cannot be resolved",
    "resolve": "has a name that cannot be resolved",
    "unreachable": "is unreachable",
}
