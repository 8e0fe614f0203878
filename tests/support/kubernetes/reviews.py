"""Whose a token is: what the server answers to a TokenReview.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, NamedTuple

from shopmesh.kubernetes.api.resource_types import PODS
from tests.support.kubernetes.storage import Object, Storage

_POD_NAME, _POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"


class Bound(NamedTuple):
    """A service account's token, bound to a pod."""

    namespace: str
    service_account: str
    pod: str
    uid: str
    audiences: tuple[str, ...]


class Tokens:
    """Those that are good. A token of a pod is good for as long as the pod is there."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._bound: dict[str, Bound] = {}
        self._account = str(uuid.uuid4())

    def issue(self, bound: Bound) -> str:
        token = f"token-{secrets.token_urlsafe(24)}"
        self._bound[token] = bound
        return token

    def revoke(self, token: str) -> None:
        """As when its time is over."""
        del self._bound[token]

    def request(self, namespace: str, account: str, body: Object) -> Object:
        """A TokenRequest: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/"""
        spec = body["spec"]
        pod = spec["boundObjectRef"]
        token = self.issue(Bound(namespace, account, pod["name"], pod["uid"], tuple(spec["audiences"])))
        return {**body, "status": {"token": token, "expirationTimestamp": "2999-01-01T00:00:00Z"}}

    def review(self, body: Object) -> Object:
        """The object as it is answered, with its status."""
        spec = body.get("spec") or {}
        return {
            "kind": "TokenReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {**(body.get("metadata") or {}), "creationTimestamp": None},
            "spec": spec,
            "status": self._status(spec.get("token", ""), spec.get("audiences") or []),
        }

    def _status(self, token: str, wanted: list[str]) -> dict[str, Any]:
        bound = self._bound.get(token)
        if bound is None:
            return {"user": {}, "error": "[invalid bearer token, Token has been invalidated]"}
        # Without audiences it is the API server's own that counts.
        audiences = [one for one in wanted or ["https://kubernetes.default.svc"] if one in bound.audiences]
        if not audiences:
            return {
                "user": {},
                "error": f"[invalid bearer token, token audiences {list(bound.audiences)!r} is invalid for the "
                f"target audiences {wanted!r}]",
            }
        with self._storage.lock:
            pod = self._storage.objects.get(PODS, {}).get((bound.namespace, bound.pod))
        if pod is None or pod["metadata"]["uid"] != bound.uid:
            return {"user": {}, "error": "[invalid bearer token, service account token has been invalidated]"}
        return {
            "authenticated": True,
            "user": {
                "username": f"system:serviceaccount:{bound.namespace}:{bound.service_account}",
                "uid": self._account,
                "groups": [
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{bound.namespace}",
                    "system:authenticated",
                ],
                "extra": {_POD_NAME: [bound.pod], _POD_UID: [bound.uid]},
            },
            "audiences": audiences,
        }
