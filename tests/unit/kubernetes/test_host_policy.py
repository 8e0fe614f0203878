"""An object that asks for more than the operator allows is used without it, and says so; requests are refused."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.errors import BadRequest
from shopmesh.documents.names import ObjectName
from tests.unit.kubernetes.conftest import World, demo

NAME = ObjectName("VirtualNode", "default", "product")
LOG = {"accessLog": {"file": {"path": "/root/.bashrc"}}}


def product() -> dict[str, Any]:
    [found] = [one for one in demo() if (one["kind"], one["metadata"]["name"]) == ("VirtualNode", "product")]
    return found


def test_an_object_that_goes_beyond_the_policy_does_not_take_its_mesh_along(empty: World) -> None:
    """Its node is there for routes and proxies; the object's problem names the option."""
    objects = demo()
    for one in objects:
        if (one["kind"], one["metadata"]["name"]) == ("VirtualNode", "product"):
            one["spec"]["logging"] = LOG
            one["metadata"]["annotations"] = {"shopmesh.dev/patch": '{"cluster/*": {"connect_timeout": "9s"}}'}
    empty.tell(*objects)

    assert LOG == empty.spec("virtualNode", "product-vn")["logging"]
    assert empty.spec("route", "product-vr", "product-r") is not None
    assert [NAME] == list(empty.store.problems)
    assert "--access-log-folder '/root/envoy'" in empty.store.problems[NAME]
    assert "--allow-patch" in empty.store.problems[NAME]


def test_it_is_well_again_once_it_asks_for_no_more(world: World) -> None:
    """The problem goes with its cause."""
    world.tell({**product(), "spec": {**product()["spec"], "logging": LOG}})
    assert NAME in world.store.problems

    world.tell(product())
    assert {} == world.store.problems


def test_a_request_to_a_cluster_is_refused_before_an_object_is_written(world: World) -> None:
    """Of the App Mesh API, as anywhere."""
    before = world.object("VirtualNode", "product")
    spec = {**world.spec("virtualNode", "product-vn"), "logging": LOG}

    with pytest.raises(BadRequest, match="--access-log-folder"):
        world.do("UpdateVirtualNode", meshName="shopmesh", virtualNodeName="product-vn", spec=spec)

    assert before == world.object("VirtualNode", "product")


def test_another_tag_may_be_added_to_such_an_object(world: World) -> None:
    """What was there before hinders no other change."""
    world.tell({**product(), "spec": {**product()["spec"], "logging": LOG}})
    arn = "arn:aws:appmesh:us-east-1:123456789012:mesh/shopmesh/virtualNode/product-vn"

    world.do("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "shop"}])

    tags = world.do("ListTagsForResource", resourceArn=arn)["tags"]
    assert {"key": "team", "value": "shop"} in tags
