"""What the API server's review of a token says: a pod, or a reason that tells what to do."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.kubernetes.identity.pod_auth import parse_review
from shopmesh.kubernetes.identity.pods import Pod

# As in https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
STATUS: Any = {
    "authenticated": True,
    "audiences": ["shopmesh"],
    "user": {
        "username": "system:serviceaccount:default:product",
        "uid": "ec3e1b7a-2a2f-4a59-8a7f-7a4c1f3a0d2e",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        "extra": {
            "authentication.kubernetes.io/credential-id": ["JTI=9e8d7c6b"],
            "authentication.kubernetes.io/node-name": ["node-1"],
            "authentication.kubernetes.io/pod-name": ["product-7d9f"],
            "authentication.kubernetes.io/pod-uid": ["0c7f8f6e"],
        },
    },
}


def test_a_pods_token_names_the_pod() -> None:
    """Its namespace is the service account's."""
    assert Pod("default", "product-7d9f", "0c7f8f6e", "product") == parse_review(STATUS, "shopmesh")


def user(**changes: Any) -> Any:
    return {**STATUS, "user": {**STATUS["user"], **changes}}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "rejects this token"),
        ({"authenticated": False, "error": "token lookup failed"}, "(token lookup failed)"),
        ({**STATUS, "authenticated": "true"}, "rejects this token"),
        ({**STATUS, "audiences": ["https://kubernetes.default.svc"]}, "not meant for shopmesh"),
        ({**STATUS, "audiences": None}, "not meant for shopmesh"),
        ({"authenticated": True, "audiences": ["shopmesh"]}, "does not belong to a pod"),
        (user(extra={}), "does not belong to a pod"),
        (user(username="someone"), "this token of someone does not belong to a pod"),
        (user(username="system:serviceaccount:default"), "does not belong to a pod"),
        (user(extra={"authentication.kubernetes.io/pod-name": ["product-7d9f"]}), "does not belong to a pod"),
    ],
)
def test_what_is_no_pods_token_is_refused_with_the_reason(status: Any, why: str) -> None:
    """Nobody comes in by a token of the cluster that was meant for others, or by one of a person."""
    found = parse_review(status, "shopmesh")

    assert isinstance(found, str)
    assert why in found
