"""JSON for the `aws` CLI whose names stand elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.documents import DocumentError, declared_resources, documents

ROUTE = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}


@pytest.mark.parametrize(
    "value",
    [
        {"spec": ROUTE},
        {"virtualRouterName": "r", "routeName": "t", "spec": ROUTE},
        {"meshName": "m", "spec": ROUTE},
        {"meshName": "m", "virtualRouterName": "r", "spec": ROUTE},
        {"meshName": "m", "spec": {"serviceDiscovery": {"dns": {"hostname": "a"}}, "listeners": []}},
    ],
)
def test_names_that_stand_in_flags_are_asked_for(value: dict[str, Any]) -> None:
    """As in most of AWS's walkthroughs; before, such a document was said to be none, or to be of another kind."""
    with pytest.raises(DocumentError, match="names are missing that stand in flags of the `aws` command"):
        declared_resources(documents(json.dumps(value), "route.json"))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ({"meshName": "m"}, ("mesh", ("m",))),
        ({"meshName": "m", "spec": {"egressFilter": {"type": "DROP_ALL"}}}, ("mesh", ("m",))),
        ({"meshName": "m", "virtualRouterName": "r", "spec": {"serviceNames": []}}, ("virtualRouter", ("m", "r"))),
        ({"meshName": "m@123456789012", "virtualNodeName": "n", "spec": {}}, ("virtualNode", ("m", "n"))),
    ],
)
def test_documents_that_have_all_their_names_load(value: dict[str, Any], key: tuple[str, tuple[str, ...]]) -> None:
    """Of either version of the API; the owner in a mesh's name is not part of it."""
    assert [Key(*key)] == [one.key for one in declared_resources(documents(json.dumps(value), "a.json"))]
