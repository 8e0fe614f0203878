"""The App Mesh API over HTTP: both versions, and several requests in one transaction.

PUT|GET|DELETE /v20190125/…    2019-01-25, all 38 operations
PUT|GET|DELETE /meshes…        2018-10-01, all 19 operations
POST /shopmesh/v1/requests     all or nothing: {"requests": [{"operation", "parameters", "expect"}], "dryRun"}

App Mesh's API lets the last writer win. `"expect": {"version": 7, "uid": "…", "tags": {…}}` of a request to describe,
update or delete a resource is compared with its `metadata` and tags before the transaction; others are answered 409.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from shopmesh.appmesh import rules
from shopmesh.appmesh.api import model, operations, rest_json, verbs
from shopmesh.appmesh.api.rest_json import OperationBinding, Parameters, Response
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import (
    ApiError,
    BadRequest,
    InternalServerError,
    MethodNotAllowed,
    ServiceUnavailable,
)
from shopmesh.appmesh.store import Key, Transaction
from shopmesh.server.api import expected_version
from shopmesh.server.api.author import Author, author_of
from shopmesh.server.api.body import ClientDisconnected, header, read
from shopmesh.server.api.expected_version import ExpectedVersion
from shopmesh.server.store.store import Store, StoreError

log = logging.getLogger(__name__)

MOST_REQUESTS = 20_000
FEW_REQUESTS = 100
"""Requests that are read in one turn of the event loop, which takes at most ten milliseconds."""

LARGE_BODY = 256 * 1024
"""Bytes of a body above which it is parsed in a thread."""

REVISION_HEADER = "x-shopmesh-revision"


def routes(store: Store, context: Callable[[], Context]) -> list[BaseRoute]:
    """Routes of both API versions and of `/shopmesh/v1/requests`, for a Starlette application."""
    api = AppMeshApi(store, context)
    later, preview = Endpoint(api.ga), Endpoint(api.preview)
    return [
        Route("/v20190125", later),
        Route("/v20190125/{rest:path}", later),
        Route("/meshes", preview),
        Route("/meshes/{rest:path}", preview),
        Route("/shopmesh/v1/requests", Endpoint(api.transaction)),
    ]


class AppMeshApi:
    """Turns requests into responses; each method takes an ASGI request and raises ApiError when it refuses one."""

    def __init__(
        self,
        store: Store,
        context: Callable[[], Context],
    ) -> None:
        self._store = store
        self._context = context
        self._large = asyncio.Semaphore(1)

    async def ga(self, scope: Scope, receive: Receive) -> Response:
        return await self._one(model.GA, scope, receive)

    async def preview(self, scope: Scope, receive: Receive) -> Response:
        return await self._one(model.PREVIEW, scope, receive)

    async def _one(self, version: str, scope: Scope, receive: Receive) -> Response:
        raw_path = scope["raw_path"].decode("latin-1")
        body = await read(scope, receive)
        call, in_path = rest_json.router(version).find(scope["method"], raw_path)
        # Bytes that are not UTF-8 become surrogates, which the model allows in no string.
        query = scope["query_string"].decode("utf-8", "surrogateescape")
        parameters = rest_json.parse(call, in_path, query, body, _text(header(scope, b"content-type")))
        if not call.operation.writes:
            return rest_json.ok_response(self._read(call, parameters), call.operation)
        context = self._context()
        answer = await self._store.submit(
            lambda transaction: operations.handle(call.operation, parameters, transaction, context), author_of(scope)
        )
        return self._with_revision(rest_json.ok_response(answer, call.operation))

    async def transaction(self, scope: Scope, receive: Receive) -> Response:
        """Several requests of 2019-01-25 as one transaction, validated as a whole; answers the first failure."""
        body = await read(scope, receive)
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{quote(scope['method'])} is not allowed here, POST is", ("POST",))
        author = author_of(scope)
        if len(body) <= LARGE_BODY:
            return await self._transaction(rest_json.load_object(body), author)
        # Parsing 4 MiB takes a third of a second and would block ADS. One body at a time, because parsing takes memory.
        async with self._large:
            return await self._transaction(await asyncio.to_thread(rest_json.load_object, body), author)

    async def _transaction(self, asked: dict[str, Any], author: Author) -> Response:
        dry = asked.get("dryRun", False)
        requests = asked.get("requests")
        if not isinstance(requests, list) or not isinstance(dry, bool) or asked.keys() - {"requests", "dryRun"}:
            raise BadRequest('send {"requests": [{"operation": …, "parameters": {…}}, …], "dryRun": false}')
        if len(requests) > MOST_REQUESTS:
            raise BadRequest(f"requests: has {len(requests)} entries, at most {MOST_REQUESTS} are allowed")
        context = replace(self._context(), defer_relations=True)

        def steps(transaction: Transaction) -> Iterator[bytes | None]:
            return handle_all(requests, transaction, context)

        try:
            trial = self._dry_run(steps, len(requests)) if dry else self._store.submit_in_steps(steps, author)
            answers = await trial
        except FailedRequest as failed:
            return rest_json.error_response(failed.error, code=failed.error.code, index=failed.index)
        joined = b",".join(answer for answer in answers if answer is not None)
        body = b'{"revision":%d,"answers":[%b]}' % (self._store.revision, joined)
        return self._with_revision(Response(200, body))

    async def _dry_run(self, steps: Callable[[Transaction], Iterator[bytes | None]], count: int) -> list[bytes | None]:
        """The responses of a dry run. Many requests are tried on a copy, because other clients write in between."""
        state = self._store.state
        if count <= FEW_REQUESTS:
            return list(steps(Transaction(state, state.client_tokens)))
        answers = []
        for answer in steps(Transaction(state.copy(), dict(state.client_tokens))):
            answers.append(answer)
            await asyncio.sleep(0)
        return answers

    def _read(self, call: OperationBinding, parameters: Parameters) -> Parameters:
        transaction = Transaction(self._store.state, self._store.state.client_tokens)
        return operations.handle(call.operation, parameters, transaction, self._context())

    def _with_revision(self, response: Response) -> Response:
        headers = {**response.headers, REVISION_HEADER: str(self._store.revision)}
        return Response(response.status, response.body, headers)


class FailedRequest(Exception):  # noqa: N818  # it is named after what happened
    def __init__(self, index: int, error: ApiError) -> None:
        self.index = index
        self.error = error


def handle_all(requests: list[Any], transaction: Transaction, context: Context) -> Iterator[bytes | None]:
    """Yields the response to each request, then None for each check of resources against each other.

    Raises FailedRequest. Where two resources contradict each other it names the lower one: a route, not its router.
    """
    written: dict[Key, int] = {}
    for index, request in enumerate(requests):
        with _failing_at(index):
            call, parameters, expected = _read_request(index, request)
            if expected is not None:
                expected_version.require(expected, transaction.base)
            answer = operations.handle(call.operation, parameters, transaction, context)
        kind = call.operation.kind
        if kind is not None and call.operation.verb in ("Create", "Update"):
            written[verbs.key_of(kind, parameters)] = index
        yield rest_json.to_json(answer)
    for key, index in sorted(written.items(), key=lambda one: (-len(one[0].path), one[1])):
        with _failing_at(index):
            rules.check_relations(key, transaction)
        yield None


def _read_request(index: int, request: Any) -> tuple[OperationBinding, Parameters, ExpectedVersion | None]:
    match request:
        case {"operation": str(name), **rest} if not rest.keys() - {"parameters", "expect"}:
            call = rest_json.binding_of(model.GA, name)
            parameters = rest_json.validate(call, rest.get("parameters", {}))
            if "expect" not in rest:
                return call, parameters, None
            return call, parameters, expected_version.read(rest["expect"], call.operation, parameters)
    raise BadRequest(
        f'requests[{index}]: expected {{"operation": …, "parameters": {{…}}, "expect": {{…}}}}, not {quote(request)}'
    )


@contextlib.contextmanager
def _failing_at(index: int) -> Iterator[None]:
    """Gives an ApiError the index of the request that caused it."""
    try:
        yield
    except ApiError as error:
        raise FailedRequest(index, error) from error


class Endpoint:
    """An ASGI application around one method of Api: every outcome leaves as one response, errors in one shape."""

    def __init__(self, answer: Callable[[Scope, Receive], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except ClientDisconnected:
            return
        except ApiError as error:
            response = rest_json.error_response(error)
        except StoreError as error:
            response = rest_json.error_response(ServiceUnavailable(str(error)))
        except Exception:
            response = internal_error(scope)
        await send_response(response, send)


def internal_error(scope: Scope) -> Response:
    """Logs the exception that is being handled, and returns a response that says where the log has it."""
    incident = str(uuid.uuid4())
    log.exception("internal error %s at %s %s", incident, scope["method"], scope["path"])
    text = f"internal error; the control plane's log has it under {incident}"
    return rest_json.error_response(InternalServerError(text))


async def send_response(response: Response, send: Send) -> None:
    """Sends a response as AWS's services do: JSON, with a request id."""
    headers = {
        "content-type": "application/json",
        "content-length": str(len(response.body)),
        "x-amzn-requestid": str(uuid.uuid4()),
        **response.headers,
    }
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    await send({"type": "http.response.body", "body": response.body})


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
