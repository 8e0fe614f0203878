"""What a control plane asks its API server for is what the manifests let it: nothing is refused in a real cluster."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
import yaml

from shopmesh.kubernetes.api.resource_types import (
    BACKEND_GROUPS,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    MESH_TYPES,
    NAMESPACES,
    PODS,
)
from shopmesh.kubernetes.identity.sidecar_config_maps import ROOT
from tests.e2e.kubernetes.running import NAMESPACE, Story, story
from tests.k8s.rendering import K8S
from tests.support.admission import Request, refusals
from tests.support.kubernetes.answers import on_purpose
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


def rights(role: Any) -> Iterator[Right]:
    """Each verb of each resource, by itself."""
    for rule in role["rules"]:
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]):
            yield Right(role["kind"], group, resource, verb, tuple(rule.get("resourceNames", ())))


class Right(NamedTuple):
    """What one rule allows of one resource."""

    role: str
    group: str
    resource: str
    verb: str
    names: tuple[str, ...]

    def rule(self) -> Any:
        names = {"resourceNames": [*self.names]} if self.names else {}
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb], **names}


HTTP = {
    "httpRoute": {"match": {"prefix": "/"}, "action": {"target": {"virtualService": {"virtualServiceName": "new"}}}}
}
PORT = {"portMapping": {"port": 8080, "protocol": "http"}}
STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("meshes", "mesh", {"meshName": "new"}),
    ("virtualnodes", "virtual_node", {"meshName": "new", "virtualNodeName": "new"}),
    ("virtualrouters", "virtual_router", {"meshName": "new", "virtualRouterName": "new"}),
    ("virtualservices", "virtual_service", {"meshName": "new", "virtualServiceName": "new"}),
    ("virtualgateways", "virtual_gateway", {"meshName": "new", "virtualGatewayName": "new"}),
    ("gatewayroutes", "gateway_route", {"meshName": "new", "virtualGatewayName": "new", "gatewayRouteName": "new"}),
)
"""Of each kind that the API writes: its plural, boto3's word for it, and its names."""
BEFORE_AND_AFTER: dict[str, tuple[Any, Any]] = {
    "meshes": ({}, {"egressFilter": {"type": "DROP_ALL"}}),
    "virtualnodes": ({}, {"logging": {"accessLog": {"file": {"path": "/dev/stdout"}}}}),
    "virtualrouters": ({"listeners": [PORT]}, {"listeners": [{"portMapping": {"port": 8081, "protocol": "http"}}]}),
    "virtualservices": ({}, {"provider": {"virtualNode": {"virtualNodeName": "new"}}}),
    "virtualgateways": (
        {"listeners": [PORT]},
        {"listeners": [PORT], "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}}},
    ),
    "gatewayroutes": (HTTP, {**HTTP, "priority": 7}),
}


def disturb(told: Story, plural: str) -> None:
    """Lets somebody else change the object of that kind just before the control plane replaces it the next time."""

    def change(asked: Asked) -> None:
        if (asked.what, asked.kind) == ("put", plural):
            told.cluster.before(None)
            found = copy.deepcopy(asked.body)
            found["metadata"].setdefault("annotations", {})["example.com/changed"] = "meanwhile"
            told.cluster.put(found)

    told.cluster.before(change)


def work(told: Story) -> None:
    """Everything that the API can be asked for, with somebody else who changes the same objects."""
    client = told.appmesh()
    for plural, word, names in STEPS:
        getattr(client, f"create_{word}")(**names, spec=BEFORE_AND_AFTER[plural][0])
    for plural, word, names in STEPS:
        disturb(told, plural)
        getattr(client, f"update_{word}")(**names, spec=BEFORE_AND_AFTER[plural][1])
    for kind in MESH_TYPES.values():
        if kind is not BACKEND_GROUPS:
            eventually(partial(told.cluster.asked_for, "patch", kind), f"the status of {kind.plural} is written")
    for _, word, names in reversed(STEPS):
        getattr(client, f"delete_{word}")(**names)


def let_in_unwatched(told: Story) -> None:
    """A proxy whose pod the watch has not told of."""

    def no_watch(asked: Asked) -> None:
        if asked.what in ("list", "watch") and asked.kind == PODS.plural:
            raise on_purpose(503)

    told.cluster.before(no_watch)
    told.cluster.disconnect()
    told.workload("order", "order-vn", "1.0")
    told.cluster.before(None)


@pytest.fixture(scope="module")
def told() -> Iterator[Story]:
    """A control plane that does all that it can do once."""
    with story() as made:
        labels = {"mesh": "shopmesh", "appmesh.k8s.aws/sidecarInjectorWebhook": "enabled"}
        made.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
        old = {"metadata": {"name": ROOT, "namespace": "default"}, "data": {"ca.crt": "another authority's"}}
        made.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", **old})
        (hook,) = yaml.safe_load_all((K8S / "base" / "control-plane" / "webhook.yaml").read_text())
        made.cluster.put(hook)
        made.control_plane()
        work(made)
        let_in_unwatched(made)
        lost = {"kind": "VirtualNode", "metadata": {"name": "lost"}, "spec": {"meshRef": {"name": "gone", "uid": "x"}}}
        made.cluster.put({"apiVersion": "appmesh.k8s.aws/v1beta2", **lost})
        eventually(lambda: made.cluster.asked_for("post", EVENTS), "an event about an object that is not used")
        eventually(lambda: made.cluster.get(CONFIG_MAPS, "shopmesh-sidecar", "shop"), "shop's sidecars can start")
        eventually(lambda: made.cluster.asked_for("put", LEASES), "the Lease is renewed")
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


def test_it_may_do_nothing_that_it_does_not_do(told: Story) -> None:
    """Each verb of each rule was needed: a right that nobody uses is one that an attacker has."""
    asked = told.cluster.asked
    unused = [
        right
        for role in roles()
        for right in rights(role)
        if not any(allowed(one, [{"kind": right.role, "rules": [right.rule()]}]) for one in asked)
    ]

    assert [] == unused


def test_of_pods_and_namespaces_only_metadata_is_asked_for(told: Story) -> None:
    """RBAC knows no such right, so it is the control plane that asks for no more."""
    asked = [one for one in told.cluster.asked if one.kind in (PODS.plural, NAMESPACES.plural)]

    assert {"get", "list", "watch"} == {one.what for one in asked}
    assert all("as=PartialObjectMetadata" in one.headers["Accept"] for one in asked)


def test_what_it_creates_is_what_the_policy_lets_it_create(told: Story) -> None:
    """Under the account that the manifests give it."""
    folder = K8S / "base" / "control-plane"
    policies = [*yaml.safe_load_all((folder / "policies.yaml").read_text())]
    groups = {"configmaps": "", "secrets": "", "leases": "coordination.k8s.io"}
    user = f"system:serviceaccount:{NAMESPACE}:control-plane"
    created = [one for one in told.cluster.asked if one.what == "post" and one.kind in groups]

    assert {*groups} == {one.kind for one in created}
    for one in created:
        asked = Request("CREATE", one.kind, one.body, user=user, group=groups[one.kind])
        assert [] == refusals(policies, asked)


@pytest.mark.parametrize("resource", ["virtualnodes", "tokenreviews", "secrets", "endpointslices", "configmaps"])
def test_a_rule_that_is_missing_would_be_noticed(told: Story, resource: str) -> None:
    """So that the test above looks at what it says."""
    fewer = copy.deepcopy(roles())
    for role in fewer:
        role["rules"] = [rule for rule in role["rules"] if resource not in rule["resources"]]

    assert [one for one in told.cluster.asked if not allowed(one, fewer)]
