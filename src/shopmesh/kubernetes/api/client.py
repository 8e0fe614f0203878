"""The API server of a cluster: JSON objects in and out, lists, watches.

Configuration, credentials and TLS are kubernetes_asyncio's; its models of six hundred types are not needed.

    KubernetesApiError ─┬─ UnreachableError    no answer: the network, a deadline, an answer that is not JSON
                        └─ KubernetesStatusError ─┬─ NotFoundError  404
                                                  ├─ ConflictError  409: it exists already, or was changed meanwhile
                                                  └─ GoneError      410: the resourceVersion is too old; list anew
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple

import aiohttp
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

from shopmesh.kubernetes.api.resource_types import ResourceType

Object = dict[str, Any]
"""A Kubernetes object as its JSON has it."""

PAGE_SIZE = 500
"""Objects a page of a list.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""
MAX_CONNECTIONS = 64
MAX_DEPTH = 100
"""Levels that are read of an object that has too many; App Mesh's deepest has 14."""
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
"""A text, or a bracket that stands in none."""
REQUEST_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_ONLY_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"
_MERGE_PATCH = "application/merge-patch+json"


def generation(found: Object) -> int:
    """How often the specification of an object was changed; 1 where it does not say it."""
    said = found["metadata"].get("generation")
    return said if type(said) is int and 0 < said < 2**63 else 1


class KubernetesApiError(Exception):
    """The API server did not do what it was asked; the message says what, and why."""


class UnreachableError(KubernetesApiError):
    """No usable answer came."""


class KubernetesStatusError(KubernetesApiError):
    """An answer with an error. `status` is HTTP's; `reason` the word that Kubernetes has for it (`AlreadyExists`);
    `retry_after` the seconds that it wants to be left alone for, where it says so."""

    def __init__(self, message: str, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFoundError(KubernetesStatusError):
    """There is no such object, or no such type: its definition is not installed."""


class ConflictError(KubernetesStatusError):
    """The object exists already (`AlreadyExists`), or is another than the one that was read (`Conflict`)."""


class GoneError(KubernetesStatusError):
    """What was asked from a resourceVersion on is forgotten."""


class ObjectList(NamedTuple):
    """All objects of a collection, and the resourceVersion from which on a watch tells what changed."""

    objects: list[Object]
    resource_version: str


class Event(NamedTuple):
    """`ADDED`, `MODIFIED`, `DELETED` (the object as it was last) or `BOOKMARK` (only its resourceVersion counts)."""

    type: str
    object: Object

    @property
    def resource_version(self) -> str:
        """From which on a watch goes on after this event."""
        return str(self.object["metadata"]["resourceVersion"])


class ApiServer:
    """One API server. Use `connect`; belongs to the event loop that made it."""

    def __init__(self, configuration: Configuration) -> None:
        configuration.connection_pool_maxsize = MAX_CONNECTIONS
        self._client = ApiClient(configuration)
        self._host = str(configuration.host).rstrip("/")

    @classmethod
    async def connect(cls) -> ApiServer:
        """By the pod's service account, or else the kubeconfig (`KUBECONFIG`, `~/.kube/config`).

        Raises KubernetesApiError when there is neither.
        """
        configuration = Configuration()
        try:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # it has no types
        except ConfigException:
            try:
                await load_kube_config(client_configuration=configuration)
            except (ConfigException, OSError) as error:
                raise UnreachableError(
                    f"no cluster: this is no pod with a service account, and no kubeconfig can be read ({error}); "
                    "set KUBECONFIG"
                ) from error
        return cls(configuration)

    async def close(self) -> None:
        await self._client.close()

    async def list(
        self,
        kind: ResourceType,
        namespace: str | None = None,
        selector: str | None = None,
        only_metadata: bool = False,
    ) -> ObjectList:
        """Lists all objects of that type, page by page.

        Raises KubernetesApiError; GoneError when the pages take too long.
        """
        query: dict[str, str] = {"limit": str(PAGE_SIZE), **({"labelSelector": selector} if selector else {})}
        objects: list[Object] = []
        while True:
            accept = _ONLY_METADATA.format("List") if only_metadata else None
            page = await self._request("GET", kind.path(namespace), query, accept=accept)
            for item in page.get("items") or []:
                # In lists the items leave out what the list says for all.
                objects.append({"apiVersion": kind.api_version, "kind": kind.kind, **item})
            metadata = page.get("metadata") or {}
            if not (rest := metadata.get("continue")):
                return ObjectList(objects, str(metadata.get("resourceVersion", "")))
            query = {**query, "continue": rest}

    @contextlib.asynccontextmanager
    async def watch(
        self,
        kind: ResourceType,
        resource_version: str,
        seconds: int,
        namespace: str | None = None,
        selector: str | None = None,
        only_metadata: bool = False,
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """What changes after that resourceVersion, for that long at most; the server's ending it is no error.

        Raises KubernetesApiError, at first or while it is read; GoneError when that resourceVersion is too old.
        """
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
            **({"labelSelector": selector} if selector else {}),
        }
        # The server ends it after `seconds`; a connection that is dead is noticed earlier, by TCP.
        timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS, total=seconds + 10)
        accept = _ONLY_METADATA.format("") if only_metadata else None
        operation = f"watch {kind.plural}"
        with self._translate_errors(operation):
            response = await self._send("GET", kind.path(namespace), query, None, accept, timeout)
        async with response:
            if response.status != 200:
                with self._translate_errors(operation):
                    raise _response_error(response, await response.read(), operation)
            _enable_keepalive(response)
            yield self._events(response, operation)

    async def _events(self, response: aiohttp.ClientResponse, operation: str) -> AsyncIterator[Event]:
        while True:
            with self._translate_errors(operation):
                line = await response.content.readline()
                if not line:
                    return
                found = decode(line)
                event = Event(found["type"], found["object"])
                if event.type == "ERROR":
                    raise _status_error(int(event.object.get("code", 500)), event.object, operation)
                if not event.resource_version:
                    raise ValueError(f"an event without a resourceVersion: {line[:200]!r}")
            yield event

    async def get(
        self, kind: ResourceType, name: str, namespace: str | None = None, only_metadata: bool = False
    ) -> Object:
        accept = _ONLY_METADATA.format("") if only_metadata else None
        return await self._request("GET", kind.path(namespace, name), accept=accept)

    async def create(self, kind: ResourceType, body: Object, dry_run: bool = False) -> Object:
        """The object as it was created; raises ConflictError when there is one of that name. Reviews have no name."""
        namespace = (body.get("metadata") or {}).get("namespace")
        return await self._request("POST", kind.path(namespace), _dry_run_query(dry_run), body)

    async def replace(self, kind: ResourceType, body: Object, dry_run: bool = False) -> Object:
        """The object as it is now; raises ConflictError when its resourceVersion is not the one in `body`."""
        metadata = body["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"])
        return await self._request("PUT", path, _dry_run_query(dry_run), body)

    async def patch(
        self,
        kind: ResourceType,
        name: str,
        change: Mapping[str, Any],
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """A JSON merge patch (RFC 7386); ConflictError when `metadata.resourceVersion` is in it and not the current."""
        return await self._request(
            "PATCH", kind.path(namespace, name, subresource), body=change, content_type=_MERGE_PATCH
        )

    async def delete(
        self, kind: ResourceType, name: str, namespace: str | None = None, uid: str | None = None, dry_run: bool = False
    ) -> None:
        """Raises NotFoundError when it is gone already, ConflictError when another of that name has taken its place."""
        # Options in the query count only where there is no body.
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        await self._request("DELETE", kind.path(namespace, name), body=options)

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str | None = None,
        content_type: str = "application/json",
    ) -> Object:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, connect=CONNECT_SECONDS)
        operation = f"{method} {path}"
        with self._translate_errors(operation):
            async with await self._send(method, path, query, body, accept, timeout, content_type) as response:
                data = await response.read()
                if response.status >= 300:
                    raise _response_error(response, data, operation)
                found: Object = decode(data)
                return found

    @contextlib.contextmanager
    def _translate_errors(self, operation: str) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            raise UnreachableError(f"{operation} at {self._host}: {str(error) or type(error).__name__}") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        accept: str | None,
        timeout: aiohttp.ClientTimeout,
        content_type: str = "application/json",
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept or "application/json", "Content-Type": content_type, "User-Agent": "shopmesh"}
        # Reads the token anew: those of service accounts change every hour.
        await self._client.update_params_for_auth(headers, [], ["BearerToken"])
        response: aiohttp.ClientResponse = await self._client.rest_client.request(
            method,
            f"{self._host}{path}",
            query_params=dict(query or {}),
            headers=headers,
            body=body,
            _preload_content=False,
            _request_timeout=timeout,
        )
        return response


def decode(data: bytes) -> Any:
    """The JSON of an answer; what is nested too deeply in it is null.

    An API server takes thousands of levels, in fields that a definition does not describe: the object of one tenant
    would keep all others of its type from being read.
    """
    try:
        return json.loads(data)
    except RecursionError:
        return json.loads(_truncate_depth(data, MAX_DEPTH))


def _truncate_depth(data: bytes, deepest: int) -> bytes:
    """JSON in which an object or list that stands in `deepest` others is null."""
    kept: list[bytes] = []
    depth = start = 0
    for found in _STRUCTURE.finditer(data):
        if found[0] in (b"[", b"{"):
            depth += 1
            if depth == deepest + 1:
                kept += [data[start : found.start()], b"null"]
        elif found[0] in (b"]", b"}"):
            depth -= 1
            if depth == deepest:
                start = found.end()
    return b"".join((*kept, data[start:]))


def _dry_run_query(run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if run else {}


def _response_error(response: aiohttp.ClientResponse, data: bytes, operation: str) -> KubernetesStatusError:
    """The error of an answer. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    said: Any = None
    with contextlib.suppress(ValueError):
        said = decode(data)
    if not isinstance(said, dict):
        said = {"message": data[:300].decode("utf-8", "replace")}
    after = response.headers.get("Retry-After", "")
    # A date is possible as well; Kubernetes has none.
    return _status_error(response.status, said, operation, float(after) if after.isdecimal() else None)


def _status_error(
    status: int, said: Mapping[str, Any], operation: str, retry_after: float | None = None
) -> KubernetesStatusError:
    message, reason = str(said.get("message") or ""), str(said.get("reason") or "")
    kind = {404: NotFoundError, 409: ConflictError, 410: GoneError}.get(status, KubernetesStatusError)
    return kind(f"{operation}: {message} ({f'{status} {reason}'.strip()})", status, reason, retry_after)


def _enable_keepalive(response: aiohttp.ClientResponse) -> None:
    """Lets TCP notice within half a minute that nobody is at the other end: a watch may say nothing for long."""
    transport = response.connection.transport if response.connection is not None else None
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            if (number := getattr(socket, option, None)) is not None:
                connection.setsockopt(socket.IPPROTO_TCP, number, value)
