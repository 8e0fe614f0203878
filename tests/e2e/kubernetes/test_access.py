"""What a control plane asks its API server for is what the manifests let it: nothing is refused in a real cluster."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml

from shopmesh.kubernetes.resources import CONFIG_MAPS
from tests.e2e.kubernetes.running import NAMESPACE, Story, story
from tests.k8s.rendering import K8S
from tests.support.kubernetes.serving import Asked
from tests.support.process import eventually

VERBS = {"post": "create", "put": "update", "get": "get", "list": "list", "watch": "watch", "patch": "patch"}
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v\w+(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)


def roles() -> list[Any]:
    documents = yaml.safe_load_all((K8S / "base" / "control-plane" / "access.yaml").read_text())
    return [one for one in documents if one["kind"] in ("Role", "ClusterRole")]


def allowed(asked: Asked, by: Iterable[Any]) -> bool:
    """As RBAC has it: https://kubernetes.io/docs/reference/access-authn-authz/rbac/"""
    match = _PATH.fullmatch(asked.path)
    assert match is not None, asked.path
    found = match.groupdict()
    resource = "/".join(filter(None, (found["plural"], found["subresource"])))
    return any(
        (found["group"] or "") in rule["apiGroups"]
        and resource in rule["resources"]
        and VERBS.get(asked.what, asked.what) in rule["verbs"]
        and ("resourceNames" not in rule or found["name"] in rule["resourceNames"])
        for role in by
        if role["kind"] == "ClusterRole" or found["namespace"] == NAMESPACE
        for rule in role["rules"]
    )


@pytest.fixture(scope="module")
def told() -> Iterator[Story]:
    """A control plane that has begun, let a proxy in, and written what the API was asked for."""
    with story() as made:
        labels = {"mesh": "shopmesh", "appmesh.k8s.aws/sidecarInjectorWebhook": "enabled"}
        made.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
        made.control_plane()
        made.workload("order", "order-vn", "1.0")
        client = made.appmesh()
        of = {"meshName": "shopmesh", "virtualNodeName": "new-vn"}
        client.create_virtual_node(**of, spec={})
        client.update_virtual_node(**of, spec={"logging": {"accessLog": {"file": {"path": "/dev/stdout"}}}})
        client.delete_virtual_node(**of)
        eventually(lambda: made.cluster.get(CONFIG_MAPS, "shopmesh-sidecar", "shop"), "shop's sidecars can start")
        yield made


def test_nothing_that_it_asks_for_is_refused(told: Story) -> None:
    """Lists, watches, its Secrets, tokens that are reviewed, objects that are written."""
    asked = told.cluster.asked
    seen = {(one.what, one.kind) for one in asked}

    assert {
        ("watch", "pods"),
        ("post", "tokenreviews"),
        ("post", "secrets"),
        ("post", "configmaps"),
        ("post", "virtualnodes"),
    } <= seen
    assert [] == [f"{one.what} {one.path}" for one in asked if not allowed(one, roles())]


@pytest.mark.parametrize("resource", ["virtualnodes", "tokenreviews", "secrets", "endpointslices", "configmaps"])
def test_a_rule_that_is_missing_would_be_noticed(told: Story, resource: str) -> None:
    """So that the test above looks at what it says."""
    fewer = copy.deepcopy(roles())
    for role in fewer:
        role["rules"] = [rule for rule in role["rules"] if resource not in rule["resources"]]

    assert [one for one in told.cluster.asked if not allowed(one, fewer)]
