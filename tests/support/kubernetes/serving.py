"""The HTTP of the test server: paths, lists in pages, watches, patches, dry runs, faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from shopmesh.kubernetes.api.resource_types import TOKEN_REVIEWS, ResourceType
from tests.support.kubernetes import answers
from tests.support.kubernetes.answers import RefusalError
from tests.support.kubernetes.kinds import KINDS, Kind
from tests.support.kubernetes.patching import merged, stepped
from tests.support.kubernetes.reviews import Tokens
from tests.support.kubernetes.selecting import Selects, selecting
from tests.support.kubernetes.storage import Key, Object, Storage, Writing

_ACCOUNT = re.compile(r"^/api/v1/namespaces/([^/]+)/serviceaccounts/([^/]+)/token$")
_INITIAL = {"annotations": {"k8s.io/initial-events-end": "true"}}


class Asked(NamedTuple):
    """A request that came. `what` is `list`, `watch`, or the method in small letters; `kind` a plural, or empty."""

    what: str
    kind: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class _Target(NamedTuple):
    kind: Kind
    namespace: str | None
    name: str | None
    subresource: str | None


class _Watch:
    """An open one: where to tell it something out of the order."""

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self.transport = transport
        self.wake = asyncio.Event()
        self.bookmark = False
        self.ending = False


class Serving:
    """Belongs to the loop that serves; `Cluster` is what tests talk to."""

    def __init__(self, storage: Storage, tokens: Tokens, token: str | None) -> None:
        self.storage = storage
        self.asked: list[Asked] = []
        self.refusing: tuple[int, str | None] | None = None
        """A status, and the plural that it is for."""
        self.delay = 0.0
        self.delay_after = 0.0
        self.missing: set[ResourceType] = set()
        """Types whose definition is not installed."""
        self.expired_in_stream = True
        self.before: Callable[[Asked], None] | None = None
        """Called with each request before it is answered."""
        self.most_seconds: float | None = None
        """Ends watches sooner than asked."""
        self.held: set[str] = set()
        """The plurals of types whose watches report nothing."""
        self.watches: set[_Watch] = set()
        self.bookmarked = 0
        self._tokens = tokens
        self.token = token
        self._pages: dict[str, tuple[int, list[Object]]] = {}

    def application(self) -> web.Application:
        found = web.Application()
        found.router.add_get("/version", self._version)
        found.router.add_get("/readyz", self._ready)
        found.router.add_route("*", "/{path:.*}", self._answer)
        return found

    def wake(self) -> None:
        for one in self.watches:
            one.wake.set()

    def forget_pages(self) -> None:
        for token in self._pages:
            self._pages[token] = (0, [])

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0-test"})

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answered(request)
        except RefusalError as refused:
            headers = {"Retry-After": str(refused.wait)} if refused.wait else None
            return web.json_response(refused.status, status=refused.code, headers=headers)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        target = self._target(request.path)
        asked = self._noted(request, target, data)
        if self.before is not None:
            self.before(asked)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise answers.unauthorized()
        if self.refusing is not None and self.refusing[1] in {None, asked.kind}:
            raise answers.on_purpose(self.refusing[0])
        if asked.kind == TOKEN_REVIEWS.plural and request.method == "POST":
            return web.json_response(self._tokens.review(asked.body), status=201)
        if request.method == "POST" and (account := _ACCOUNT.match(asked.path)):
            return web.json_response(self._tokens.request(account[1], account[2], asked.body), status=201)
        if target is None or target.kind.type in self.missing:
            return web.Response(status=404, text="404 page not found\n")
        if asked.what == "watch":
            return await self._watch(request, target)
        if asked.what == "list":
            return web.json_response(self._list(request, target))
        status, found = self._object(request, target, asked.body)
        if self.delay_after:
            await asyncio.sleep(self.delay_after)
        return web.json_response(_shown(found, request), status=status)

    def _target(self, path: str) -> _Target | None:
        for kind in KINDS:
            prefix = f"/apis/{kind.type.group}" if kind.type.group else "/api"
            start = f"{prefix}/{kind.type.version}/"
            if not path.startswith(start):
                continue
            parts = path.removeprefix(start).split("/")
            namespace = None
            if parts[0] == "namespaces" and len(parts) > 2 and kind.type.namespaced:
                namespace, parts = parts[1], parts[2:]
            if parts[0] == kind.type.plural and len(parts) <= 3:
                name, subresource = [*parts[1:], None, None][:2]
                if subresource is None or (subresource == "status" and kind.status):
                    return _Target(kind, namespace, name, subresource)
        return None

    def _noted(self, request: web.Request, target: _Target | None, data: bytes) -> Asked:
        query = dict(request.query)
        what = request.method.lower()
        if what == "get" and target is not None and target.name is None:
            what = "watch" if query.get("watch") in {"true", "1"} else "list"
        try:
            body = json.loads(data) if data else None
        except ValueError as error:
            raise answers.bad_request(f"the body is no JSON: {error}") from error
        kind = target.kind.type.plural if target is not None else ""
        if request.path == TOKEN_REVIEWS.path():
            kind = TOKEN_REVIEWS.plural
        asked = Asked(what, kind, request.path, query, dict(request.headers), body)
        self.asked.append(asked)
        return asked

    # collections

    def _list(self, request: web.Request, target: _Target) -> Object:
        limit, go_on = int(request.query.get("limit", 0)), request.query.get("continue")
        if go_on:
            revision, rest = self._pages.get(go_on, (0, []))
            if not revision:
                raise answers.continued_too_late()
        else:
            revision, rest = self.storage.all(target.kind.type, target.namespace, _selects(request))
        items = rest[:limit] if limit else rest
        metadata: Object = {"resourceVersion": str(revision)}
        if len(items) < len(rest):
            metadata |= {"continue": secrets.token_hex(8), "remainingItemCount": len(rest) - len(items)}
            self._pages[metadata["continue"]] = (revision, rest[limit:])
        if _only_metadata(request, "List"):
            shown = [_partial(one) for one in items]
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": shown,
            }
        if not target.kind.defined:
            items = [{key: value for key, value in one.items() if key not in {"apiVersion", "kind"}} for one in items]
        type_ = target.kind.type
        return {"kind": f"{type_.kind}List", "apiVersion": type_.api_version, "metadata": metadata, "items": items}

    async def _watch(self, request: web.Request, target: _Target) -> web.StreamResponse:
        selects = _selects(request)
        kind, query = target.kind.type, request.query
        wanted = query.get("resourceVersion", "")
        first: list[Object] = []
        if wanted in {"", "0"} or query.get("sendInitialEvents") == "true":
            revision, first = self.storage.all(kind, target.namespace, selects)
        else:
            revision = int(wanted)
            if not self.expired_in_stream:
                self.storage.after(kind, revision)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        watch = _Watch(request.transport)
        self.watches.add(watch)
        try:
            # A client, a test or this server may end it at any time.
            with contextlib.suppress(OSError, TimeoutError):
                await response.prepare(request)
                for one in first:
                    await response.write(_line("ADDED", _shown(one, request)))
                if query.get("sendInitialEvents") == "true":
                    await response.write(_bookmark(kind, revision, request, _INITIAL))
                seconds = int(query.get("timeoutSeconds", 1800))
                async with asyncio.timeout(seconds if self.most_seconds is None else self.most_seconds):
                    await self._tell(request, response, watch, target, selects, revision)
        finally:
            self.watches.discard(watch)
        return response

    async def _tell(
        self,
        request: web.Request,
        response: web.StreamResponse,
        watch: _Watch,
        target: _Target,
        selects: Selects,
        revision: int,
    ) -> None:
        kind = target.kind.type
        while not watch.ending:
            watch.wake.clear()
            if kind.plural in self.held:
                await watch.wake.wait()
                continue
            try:
                happenings = self.storage.after(kind, revision)
            except RefusalError as refused:
                await response.write(_line("ERROR", refused.status))
                return
            for one in happenings:
                if target.namespace in {None, one.last["metadata"].get("namespace")} and (event := one.seen(selects)):
                    await response.write(_line(event[0], _shown(event[1], request)))
                revision = one.revision
            if watch.bookmark:
                watch.bookmark = False
                revision = max(revision, self.storage.revision)
                await response.write(_bookmark(kind, revision, request))
                self.bookmarked = revision
            await watch.wake.wait()

    # one object

    def _object(self, request: web.Request, target: _Target, body: Any) -> tuple[int, Object]:
        kind, name, query = target.kind, target.name, request.query
        how = Writing(
            query.get("dryRun") == "All",
            query.get("fieldValidation") == "Strict",
            query.get("fieldManager") or request.headers.get("User-Agent", "unknown").split("/")[0],
        )
        if request.method == "POST" and name is None:
            return 201, self.storage.create(kind, self._posted(target, body), how)
        if name is None:
            raise RefusalError(405, "MethodNotAllowed", "the server does not allow this method on the resource")
        key: Key = (target.namespace or "", name)
        if request.method == "GET":
            return 200, self.storage.get(kind.type, key)
        if request.method == "PUT":
            _typed(kind.type, body)
            return 200, self.storage.update(kind, key, lambda _: body, how, target.subresource)
        if request.method == "PATCH":
            change = _patch(request.content_type, body)
            return 200, self.storage.update(kind, key, change, how, target.subresource, patching=True)
        if request.method == "DELETE":
            # Where options come in the body, those in the query are not looked at.
            how = how._replace(dry=body.get("dryRun") == ["All"]) if body is not None else how
            return 200, self.storage.delete(kind, key, (body or {}).get("preconditions"), how)
        raise RefusalError(405, "MethodNotAllowed", "the server does not allow this method on the resource")

    def _posted(self, target: _Target, body: Any) -> Object:
        _typed(target.kind.type, body)
        metadata = {**(body.get("metadata") or {})}
        if target.kind.type.namespaced:
            given = metadata.setdefault("namespace", target.namespace)
            if given != target.namespace:
                raise answers.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
        return {**body, "metadata": metadata}


def _selects(request: web.Request) -> Selects:
    return selecting(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))


def _typed(kind: ResourceType, body: Any) -> None:
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
        raise answers.bad_request(f"the object provided is unrecognized: it is no {kind.kind} of {kind.api_version}")


def _patch(content_type: str, body: Any) -> Callable[[Object], Object]:
    if content_type == "application/merge-patch+json":
        return lambda found: merged(found, body)
    if content_type == "application/json-patch+json":
        return lambda found: stepped(found, body)
    supported = "application/json-patch+json, application/merge-patch+json"
    message = f"the body of the request was in an unknown format - accepted media types include: {supported}"
    raise RefusalError(415, "UnsupportedMediaType", message)


def _only_metadata(request: web.Request, suffix: str = "") -> bool:
    return f"as=PartialObjectMetadata{suffix};" in request.headers.get("Accept", "")


def _partial(found: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}


def _shown(found: Object, request: web.Request) -> Object:
    return _partial(found) if _only_metadata(request) and "metadata" in found else found


def _line(type_: str, found: Object) -> bytes:
    return json.dumps({"type": type_, "object": found}, separators=(",", ":")).encode() + b"\n"


def _bookmark(kind: ResourceType, revision: int, request: web.Request, more: Object | None = None) -> bytes:
    metadata = {"resourceVersion": str(revision), "creationTimestamp": None, **(more or {})}
    found = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    return _line("BOOKMARK", _shown(found, request))
