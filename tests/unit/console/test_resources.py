"""Resources as the console shows and plans them, beside what a store holds of proxies."""

from __future__ import annotations

from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.console.resources.description import describe_resource
from shopmesh.console.resources.listing import list_resources
from shopmesh.console.resources.planning import plan_manifests

MESH = Resource(Key("mesh", ("shop",)), {}, "uid", 1, 0.0, 0.0)
PROXY = Resource(Key("instance", ("shop", "virtualNode", "one", "one-1")), {"address": "127.0.0.1"}, "uid", 1, 0.0, 0.0)
STATE = State([MESH, PROXY])
CONTEXT = Context("000000000000", "us-east-1", 1.0, lambda: "new", defer_relations=True)

NODE = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualNode\nmetadata: {name: one}\nspec: {awsName: one}\n"


def test_proxies_are_no_resources() -> None:
    """They are listed on a page of their own, and no manifest declares them."""
    assert [("mesh", ["shop"])] == [(one["kind"], one["path"]) for one in list_resources(STATE)]


def test_manifests_are_read_and_planned_beside_proxies() -> None:
    """Neither direction meets what has no manifest."""
    assert "kind: Mesh" in describe_resource(MESH, STATE, CONTEXT)["manifest"]
    assert ["created virtualNode one"] == [str(step) for step in plan_manifests(NODE, "shop", STATE, CONTEXT).steps]
