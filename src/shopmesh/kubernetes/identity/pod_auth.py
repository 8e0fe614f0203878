"""Authenticates xDS streams by the service account token of a pod, which the API server reviews.

    authorization: Bearer … ─TokenReview─► Pod ─► its record ─► PodPrincipal: which node's proxy it may be

While the API server is unreachable, new streams end with UNAVAILABLE and Envoy retries; open streams stay open.
https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from shopmesh.kubernetes.api.async_cache import AsyncCache
from shopmesh.kubernetes.api.client import ApiServer, KubernetesApiError
from shopmesh.kubernetes.api.resource_types import TOKEN_REVIEWS
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.identity.pod_identity import Declarations, PodPrincipal
from shopmesh.kubernetes.identity.pods import Pod, PodLookup
from shopmesh.server.grpc.sessions import Call, Status, StreamError
from shopmesh.server.grpc.shared_token import LONGEST, MISSING, SCHEME

log = logging.getLogger(__name__)

AUDIENCE = "shopmesh"
CACHE_SECONDS = 30.0
"""A review is reused for so long, which also bounds how long a deleted pod still gets in."""
INVALID_SECONDS = 2.0
MAX_CACHED = 20_000
_POD = "authentication.kubernetes.io/pod-name"
_UID = "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"


class InvalidTokenError(Exception):
    """The token does not authenticate a pod; the message never holds the token."""


class TokenReviewer:
    """Asks the API server which pod a token belongs to; caches its answers by the hash of the token."""

    def __init__(
        self, server: ApiServer, audience: str = AUDIENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._audience = audience
        self._reviews: AsyncCache[bytes, Pod | str] = AsyncCache(_cache_seconds, MAX_CACHED, clock)

    async def review(self, token: str) -> Pod:
        """Returns the pod. Raises InvalidTokenError, and KubernetesApiError when the API server does not answer."""
        found = await self._reviews.get(hashlib.sha256(token.encode()).digest(), lambda: self._review(token))
        if isinstance(found, str):
            raise InvalidTokenError(found)
        return found

    async def _review(self, token: str) -> Pod | str:
        review = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [self._audience]},
        }
        answer = await self._server.create(TOKEN_REVIEWS, review)
        return parse_review(answer.get("status") or {}, self._audience)


def _cache_seconds(found: Pod | str) -> float:
    return CACHE_SECONDS if isinstance(found, Pod) else INVALID_SECONDS


def parse_review(status: Mapping[str, Any], audience: str) -> Pod | str:
    """Returns the pod that the status of a review names, or an error message."""
    if status.get("authenticated") is not True:
        why = str(status.get("error") or "it is not valid")[:200]
        return (
            f"the API server rejects this token ({why}); mount a serviceAccountToken with audience {audience} "
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
            f"this token of {account[:200]} does not belong to a pod; mount a serviceAccountToken as a projected "
            "volume of the pod"
        )
    return Pod(namespace, str(names[0]), str(uids[0]), name)


class PodAuthentication:
    """Accepts only calls with the token of a pod, as that pod (`sessions.Authenticate`)."""

    def __init__(
        self, reviews: TokenReviewer, pods: PodLookup, declarations: Declarations, selectors: CachedSelectors
    ) -> None:
        self._reviews = reviews
        self._pods = pods
        self._declarations = declarations
        self._selectors = selectors

    async def __call__(self, call: Call) -> PodPrincipal:
        pod = await self._review(call.authorization)
        try:
            record = await self._pods.find(pod)
        except KubernetesApiError as error:
            problem = f"the API server cannot be asked for {pod}: {error}"
            raise StreamError(problem, Status.UNAVAILABLE) from error
        if record is None:
            problem = (
                f"this token belongs to {pod} with UID {pod.uid}, which no longer exists; "
                "use the token of the current pod"
            )
            raise StreamError(problem, Status.UNAUTHENTICATED)
        return PodPrincipal(pod, record, self._declarations, self._selectors)

    async def _review(self, authorization: bytes | None) -> Pod:
        token = _bearer(authorization)
        if token is None:
            raise StreamError(MISSING, Status.UNAUTHENTICATED)
        try:
            return await self._reviews.review(token)
        except InvalidTokenError as error:
            raise StreamError(str(error), Status.UNAUTHENTICATED) from error
        except KubernetesApiError as error:
            problem = f"the API server cannot review this token: {error}"
            raise StreamError(problem, Status.UNAVAILABLE) from error


def _bearer(header: bytes | None) -> str | None:
    """The token of an `authorization` header; None where it holds none that a cluster could have issued."""
    if header is None or not header.startswith(SCHEME.encode()) or len(header) > LONGEST:
        return None
    text = header.decode("ascii", "replace").removeprefix(SCHEME)
    return text if text and text.isascii() and text.isprintable() and " " not in text else None
