"""The steps from what exists to what is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.client.plan import label, plan, plan_deletion
from shopmesh.documents import DeclaredResource
from shopmesh.documents.equality import equivalent

NODE = Key("virtualNode", ("m", "a-vn"))


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ({"backends": []}, {}, True),
        ({"a": {"b": []}}, {"a": {}}, True),
        ({"a": None}, {}, True),
        ({"a": {}}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"value": 1000, "unit": "ms"}, {"value": 1, "unit": "s"}, False),
        ({"a": 0}, {}, False),
        ({"a": False}, {}, False),
    ],
)
def test_an_empty_list_is_as_good_as_none(one: Any, other: Any, wanted: bool) -> None:
    """Nothing else is: order, units, zeros and empty objects count."""
    assert wanted == equivalent(one, other)


@pytest.mark.parametrize(
    ("wanted", "before", "verb", "operations"),
    [
        (DeclaredResource(NODE, {}), None, "created", ["CreateVirtualNode"]),
        (DeclaredResource(NODE, {}), DeclaredResource(NODE, {"backends": []}), "unchanged", []),
        (DeclaredResource(NODE, {"a": 1}), DeclaredResource(NODE, {}), "updated", ["UpdateVirtualNode"]),
        (DeclaredResource(NODE, {}, {"t": "1"}), DeclaredResource(NODE, {}), "updated", ["TagResource"]),
        (DeclaredResource(NODE, {}, {"t": "1"}), DeclaredResource(NODE, {}, {"t": "2"}), "updated", ["TagResource"]),
        (DeclaredResource(NODE, {}), DeclaredResource(NODE, {}, {"shopmesh.dev/x": "1"}), "unchanged", []),
        (
            DeclaredResource(NODE, {}, complete=True),
            DeclaredResource(NODE, {}, {"shopmesh.dev/x": "1"}),
            "updated",
            ["UntagResource"],
        ),
        (DeclaredResource(NODE, {}, complete=True), DeclaredResource(NODE, {}, {"team": "1"}), "unchanged", []),
    ],
)
def test_only_what_differs_is_asked_for(
    wanted: DeclaredResource, before: DeclaredResource | None, verb: str, operations: list[str]
) -> None:
    """Specification and tags are compared; tags of others, and of ours where JSON says nothing, stay."""
    [step] = plan([wanted], {} if before is None else {NODE: (before, "arn")})

    assert (verb, operations) == (step.verb, [request["operation"] for request in step.requests])


def test_what_is_used_is_deleted_after_its_users() -> None:
    """Gateway routes, gateways, services, routes, routers, nodes, mesh."""
    keys = [
        Key("mesh", ("m",)),
        Key("virtualNode", ("m", "x")),
        Key("virtualRouter", ("m", "x")),
        Key("route", ("m", "x", "x")),
        Key("virtualService", ("m", "x")),
        Key("virtualGateway", ("m", "x")),
        Key("gatewayRoute", ("m", "x", "x")),
    ]
    resources = [DeclaredResource(key, {}) for key in keys]

    steps = plan_deletion(resources, {resource.key: (resource, "arn") for resource in resources})

    assert keys[::-1] == [step.resource.key for step in steps]


def test_a_resource_is_called_by_kind_and_path() -> None:
    """The mesh is left out, but for the mesh itself."""
    keys = [Key("mesh", ("m",)), NODE, Key("route", ("m", "r-vr", "r"))]

    assert ["mesh m", "virtualNode a-vn", "route r-vr/r"] == [label(key) for key in keys]
