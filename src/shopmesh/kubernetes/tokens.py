"""Who a proxy is: its pod, by the token that the kubelet projects into it and the API server reviews.

    authorization: Bearer … ─TokenReview─► Pod ─podSelector─► the node that it may ask for

An API server that cannot be asked says nothing against anybody: UNAVAILABLE, and Envoy comes again. Streams that are
open are left alone. https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import grpc

from shopmesh.kubernetes.api import ApiError, ApiServer
from shopmesh.kubernetes.resources import TOKEN_REVIEWS
from shopmesh.kubernetes.selection import Cluster as Selecting
from shopmesh.kubernetes.selection import Current, Labels
from shopmesh.server import admission
from shopmesh.server.refusals import Refusals
from shopmesh.server.token import LONGEST, MISSING, SCHEME, Handler, Interceptor, authorization, refusing
from shopmesh.server.transport import StreamError
from shopmesh.xds.node import ProxyNode

log = logging.getLogger(__name__)

AUDIENCE = "shopmesh"
REMEMBERED_SECONDS = 30.0
"""So long a pod that was deleted could still come in; the three streams of an Envoy are one review."""
REFUSED_SECONDS = 2.0
MOST_REMEMBERED = 20_000
_POD = "authentication.kubernetes.io/pod-name"
_UID = "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"


class Pod(NamedTuple):
    """Whose token it is; `account` is its service account's name."""

    namespace: str
    name: str
    uid: str
    account: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


class RefusedTokenError(Exception):
    """The token is nobody's here; the message tells the proxy's owner what to do, and never holds the token."""


class Reviews:
    """Asks the API server whose a token is. Its answers are remembered for half a minute, by the tokens' hashes."""

    def __init__(
        self, server: ApiServer, audience: str = AUDIENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._audience = audience
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[float, Pod | str]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Pod | str]] = {}

    async def pod(self, token: str) -> Pod:
        """Raises RefusedTokenError, and ApiError when the API server cannot tell."""
        key = hashlib.sha256(token.encode()).digest()
        found = self._recall(key)
        if found is None:
            asking = self._asking.get(key)
            if asking is None:
                asking = self._asking[key] = asyncio.create_task(self._review(key, token))
                asking.add_done_callback(lambda task: self._asked(key, task))
            # Whoever goes away meanwhile leaves the others their answer.
            found = await asyncio.shield(asking)
        if isinstance(found, str):
            raise RefusedTokenError(found)
        return found

    def _recall(self, key: bytes) -> Pod | str | None:
        until, found = self._remembered.get(key, (0.0, None))
        return found if self._clock() < until else None

    def _asked(self, key: bytes, task: asyncio.Task[Pod | str]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # those who waited were told; nobody may be waiting any more

    async def _review(self, key: bytes, token: str) -> Pod | str:
        review = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [self._audience]},
        }
        answer = await self._server.create(TOKEN_REVIEWS, review)
        found = reviewed(answer.get("status") or {}, self._audience)
        for_seconds = REMEMBERED_SECONDS if isinstance(found, Pod) else REFUSED_SECONDS
        self._remembered[key] = (self._clock() + for_seconds, found)
        self._remembered.move_to_end(key)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return found


def reviewed(status: Mapping[str, Any], audience: str) -> Pod | str:
    """The pod that a review's status names, or why it is none."""
    if status.get("authenticated") is not True:
        why = str(status.get("error") or "it is not valid")[:200]
        return (
            f"the API server does not take this token ({why}); mount a serviceAccountToken with audience {audience} "
            "as a projected volume, and let Envoy read it there"
        )
    # A server that knows no audiences would take any token of the cluster: one that was stolen elsewhere.
    if audience not in (status.get("audiences") or ()):
        return f"this token is not meant for {audience}; mount a serviceAccountToken with audience {audience}"
    user = status.get("user") or {}
    extra = user.get("extra") or {}
    names: list[str] = extra.get(_POD) or []
    uids: list[str] = extra.get(_UID) or []
    account = str(user.get("username") or "")
    namespace, _, name = account.removeprefix(_ACCOUNT).partition(":")
    if not (account.startswith(_ACCOUNT) and namespace and name and len(names) == len(uids) == 1):
        return (
            f"this token of {account[:200]} is no pod's; mount a serviceAccountToken as a projected volume of the pod"
        )
    return Pod(namespace, str(names[0]), str(uids[0]), name)


class Cluster(Selecting, Protocol):
    """What is known of a cluster: also its pods' labels, by namespace and name."""

    @property
    def pods(self) -> Mapping[Any, Labels]: ...


class ProxyOf:
    """A pod at the other end of a stream: its Envoy may be the proxy of the node that selects the pod."""

    def __init__(self, pod: Pod, cluster: Cluster, current: Current) -> None:
        self._pod = pod
        self._cluster = cluster
        self._current = current

    def refusal(self, node: ProxyNode) -> StreamError | None:
        pod = self._pod
        labels = self._cluster.pods.get((pod.namespace, pod.name))
        if labels is None:
            # The review knows it: it is younger than what was last watched.
            return StreamError(f"{pod} is not known here yet; ask again", grpc.StatusCode.UNAVAILABLE)
        selection = self._current.selectors().of(pod.namespace, labels)
        if selection.key == node.identity.resource:
            return self._instance_refusal(node)
        if selection.key is None:
            problem = f"{pod} may not ask for {node.id}: {selection.problem}"
        else:
            (by,) = selection.by
            kind, (mesh, name) = selection.key
            problem = (
                f"{pod} may not ask for {node.id}: the podSelector of {by.kind} {by.namespace}/{by.name} makes it a "
                f"proxy of mesh/{mesh}/{kind}/{name}; start its Envoy as that, or correct the podSelector"
            )
        return StreamError(problem, grpc.StatusCode.PERMISSION_DENIED)

    def _instance_refusal(self, node: ProxyNode) -> StreamError | None:
        """A pod speaks for itself, not for another of its node; a bootstrap without an instance has the node's name."""
        if node.instance in (self._pod.name, node.name):
            return None
        problem = (
            f"{self._pod} may not be instance {node.instance} of {node.id}; name the pod in its Envoy's bootstrap: "
            '--config-yaml {"node":{"metadata":{"instance":"$(POD_NAME)"}}}'
        )
        return StreamError(problem, grpc.StatusCode.PERMISSION_DENIED)


class PodsOnly(Interceptor):
    """Lets in whoever brings a pod's token, as the proxy that this pod may be."""

    def __init__(self, reviews: Reviews, cluster: Cluster, current: Current) -> None:
        self._reviews = reviews
        self._cluster = cluster
        self._current = current
        self._refusals = Refusals(log)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        token = _bearer(authorization(handler_call_details))
        if token is None:
            return refusing(grpc.StatusCode.UNAUTHENTICATED, MISSING, self._refusals)
        try:
            pod = await self._reviews.pod(token)
        except RefusedTokenError as refused:
            return refusing(grpc.StatusCode.UNAUTHENTICATED, str(refused), self._refusals)
        except ApiError as error:
            problem = f"the API server cannot tell whose this token is: {error}"
            return refusing(grpc.StatusCode.UNAVAILABLE, problem, self._refusals)
        admission.admit(ProxyOf(pod, self._cluster, self._current))
        return await continuation(handler_call_details)


def _bearer(header: bytes | None) -> str | None:
    """The token of an `authorization` header; None where it holds none that a cluster could have issued."""
    if header is None or not header.startswith(SCHEME.encode()) or len(header) > LONGEST:
        return None
    text = header.decode("ascii", "replace").removeprefix(SCHEME)
    return text if text and text.isascii() and text.isprintable() and " " not in text else None
