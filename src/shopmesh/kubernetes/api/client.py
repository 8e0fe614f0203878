"""The API server of a cluster: JSON objects in and out, lists, watches.

Configuration, credentials and TLS are kubernetes_asyncio's; its models of six hundred types are not needed.

    KubernetesApiError ─┬─ UnreachableError    no answer: the network, a deadline, an answer that is not JSON
                        └─ KubernetesStatusError ─┬─ NotFoundError  404
                                                  ├─ ConflictError  409: it exists already, or was changed meanwhile
                                                  └─ GoneError      410: the resourceVersion is too old; list again
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

from shopmesh.appmesh.strict_json import is_deeper
from shopmesh.kubernetes.api.contact import Contact
from shopmesh.kubernetes.api.resource_types import ResourceType

Object = dict[str, Any]
"""A Kubernetes object in JSON."""

PAGE_SIZE = 500
"""Objects in one page of a list.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""
MAX_CONNECTIONS = 64
MAX_DEPTH = 100
"""Levels of nesting that are read; the deepest App Mesh object has 14."""
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
"""A JSON string, or a bracket outside of strings."""
REQUEST_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_ONLY_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"
_MERGE_PATCH = "application/merge-patch+json"


def generation(found: Object) -> int:
    """Returns `metadata.generation`, or 1 when it is missing or invalid."""
    said = found["metadata"].get("generation")
    return said if type(said) is int and 0 < said < 2**63 else 1


class KubernetesApiError(Exception):
    """A request to the API server failed; the message has the request and the reason."""


class ApiServerUnreachableError(KubernetesApiError):
    """The API server did not answer, or its answer cannot be read."""


class KubernetesStatusError(KubernetesApiError):
    """An error that the API server answered: the HTTP `status`, the `reason` of Kubernetes (`AlreadyExists`) and the
    seconds of a Retry-After header, if any."""

    def __init__(self, message: str, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFoundError(KubernetesStatusError):
    """The object does not exist, or the definition of its type is not installed."""


class ConflictError(KubernetesStatusError):
    """The object already exists (`AlreadyExists`), or was changed since it was read (`Conflict`)."""


class GoneError(KubernetesStatusError):
    """The resourceVersion is too old; the collection has to be listed again."""


class ObjectList(NamedTuple):
    """All objects of a collection, and the resourceVersion to start a watch from."""

    objects: list[Object]
    resource_version: str


class Event(NamedTuple):
    """`ADDED`, `MODIFIED`, `DELETED` (the object as it was last) or `BOOKMARK` (only its resourceVersion counts)."""

    type: str
    object: Object

    @property
    def resource_version(self) -> str:
        """The version to resume a watch from after this event."""
        return str(self.object["metadata"]["resourceVersion"])


class ApiServer:
    """A client of one API server, bound to the event loop that created it. Use `connect`."""

    def __init__(self, configuration: Configuration) -> None:
        configuration.connection_pool_maxsize = MAX_CONNECTIONS
        self._client = ApiClient(configuration)
        self._host = str(configuration.host).rstrip("/")
        self.contact = Contact()

    @classmethod
    async def connect(cls) -> ApiServer:
        """Connects with the service account of this pod, else with the kubeconfig (`KUBECONFIG`, `~/.kube/config`).

        Raises KubernetesApiError when there is neither.
        """
        configuration = Configuration()
        try:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # it has no types
        except ConfigException:
            try:
                await load_kube_config(client_configuration=configuration)
            except (ConfigException, OSError) as error:
                raise ApiServerUnreachableError(
                    f"no cluster: not a pod with a service account, and no kubeconfig can be read ({error}); "
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
        """Watches for changes after that resourceVersion, for that many seconds at most.

        Raises KubernetesApiError, at first or while events are read; GoneError when that resourceVersion is too old.
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
            self.contact.report_success()
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

    async def create(
        self, kind: ResourceType, body: Object, dry_run: bool = False, manager: str | None = None
    ) -> Object:
        """Creates an object and returns it. Raises ConflictError when one of that name exists. Reviews have no name.

        `manager` is recorded as the field manager.
        """
        namespace = (body.get("metadata") or {}).get("namespace")
        return await self._request("POST", kind.path(namespace), _write_query(dry_run, manager), body)

    async def replace(
        self, kind: ResourceType, body: Object, dry_run: bool = False, manager: str | None = None
    ) -> Object:
        """Replaces an object and returns it. Raises ConflictError when `body` has an old resourceVersion.

        `manager` is recorded as the field manager.
        """
        metadata = body["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"])
        return await self._request("PUT", path, _write_query(dry_run, manager), body)

    async def patch(
        self,
        kind: ResourceType,
        name: str,
        change: Mapping[str, Any],
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Applies a JSON merge patch (RFC 7386). Raises ConflictError when it has an old `metadata.resourceVersion`."""
        return await self._request(
            "PATCH", kind.path(namespace, name, subresource), body=change, content_type=_MERGE_PATCH
        )

    async def delete(
        self, kind: ResourceType, name: str, namespace: str | None = None, uid: str | None = None, dry_run: bool = False
    ) -> None:
        """Deletes an object. Raises NotFoundError when there is none, ConflictError when its UID differs from `uid`."""
        # The API server ignores options in the query when there is a body.
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
                self.contact.report_success()
                return found

    @contextlib.contextmanager
    def _translate_errors(self, operation: str) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            raise ApiServerUnreachableError(
                f"{operation} at {self._host}: {str(error) or type(error).__name__}"
            ) from error

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
        # Reads the token again: those of service accounts change every hour.
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
    """Parses the JSON of an answer; values that are nested too deeply become null.

    An API server accepts thousands of levels in fields that a definition does not describe: without this bound the
    object of one tenant would keep all others of its type from being read.
    """
    # From Python 3.12 on, thousands of levels are parsed without an error.
    with contextlib.suppress(RecursionError):
        value = json.loads(data)
        if not is_deeper(value, MAX_DEPTH):
            return value
    return json.loads(_truncate_depth(data, MAX_DEPTH))


def _truncate_depth(data: bytes, deepest: int) -> bytes:
    """Replaces each object or list that is nested in `deepest` others by null."""
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


def _write_query(dry_run: bool, manager: str | None) -> dict[str, str]:
    return {**({"dryRun": "All"} if dry_run else {}), **({"fieldManager": manager} if manager else {})}


def _response_error(response: aiohttp.ClientResponse, data: bytes, operation: str) -> KubernetesStatusError:
    """Returns the error of an answer. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    said: Any = None
    with contextlib.suppress(ValueError):
        said = decode(data)
    if not isinstance(said, dict):
        said = {"message": data[:300].decode("utf-8", "replace")}
    after = response.headers.get("Retry-After", "")
    # HTTP allows a date as well, which Kubernetes does not send.
    return _status_error(response.status, said, operation, float(after) if after.isdecimal() else None)


def _status_error(
    status: int, said: Mapping[str, Any], operation: str, retry_after: float | None = None
) -> KubernetesStatusError:
    message, reason = str(said.get("message") or ""), str(said.get("reason") or "")
    kind = {404: NotFoundError, 409: ConflictError, 410: GoneError}.get(status, KubernetesStatusError)
    return kind(f"{operation}: {message} ({f'{status} {reason}'.strip()})", status, reason, retry_after)


def _enable_keepalive(response: aiohttp.ClientResponse) -> None:
    """Lets TCP detect a dead peer within half a minute: a watch may be silent for long."""
    transport = response.connection.transport if response.connection is not None else None
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            if (number := getattr(socket, option, None)) is not None:
                connection.setsockopt(socket.IPPROTO_TCP, number, value)
