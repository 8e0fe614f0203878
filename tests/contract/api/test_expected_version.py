"""`expect` in POST /shopmesh/v1/requests: a change is refused when another client wrote the resource meanwhile."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.api.conftest import ApiServer
from tests.contract.api.raw import send
from tests.support.http_answers import Answer


def request(operation: str, expect: Any, **parameters: Any) -> dict[str, Any]:
    return {"operation": operation, "parameters": parameters, "expect": expect}


def post(api: ApiServer, *requests: dict[str, Any], dry_run: bool = False) -> Answer:
    return send(api.port, "POST", "/shopmesh/v1/requests", json.dumps({"requests": requests, "dryRun": dry_run}))


@pytest.fixture
def node(client: Any, mesh: str) -> dict[str, str]:
    """The names of a virtual node of version 2, and its mesh's."""
    names = {"meshName": mesh, "virtualNodeName": "n"}
    client.create_virtual_node(**names, spec={})
    client.update_virtual_node(**names, spec={"logging": {}})
    return names


def metadata(client: Any, node: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = client.describe_virtual_node(**node)["virtualNode"]["metadata"]
    return found


def test_change_of_the_expected_version_is_made(api: ApiServer, client: Any, node: dict[str, str]) -> None:
    """With the version alone, or with the uid as well."""
    now = metadata(client, node)

    by_version = post(api, request("UpdateVirtualNode", {"version": 2}, **node, spec={}))
    by_uid = post(api, request("UpdateVirtualNode", {"version": 3, "uid": now["uid"]}, **node, spec={}))

    assert [200, 200] == [by_version.status, by_uid.status], (by_version.json, by_uid.json)
    assert 4 == metadata(client, node)["version"]


@pytest.mark.parametrize("version", [0, 1, 3, -1, 10**30])
@pytest.mark.parametrize("dry_run", [False, True])
def test_another_version_is_refused(
    api: ApiServer, client: Any, node: dict[str, str], version: int, dry_run: bool
) -> None:
    """With 409 and both versions in the message; nothing of the whole transaction is written."""
    mesh = {"meshName": node["meshName"]}

    answer = post(
        api,
        {"operation": "UpdateMesh", "parameters": {**mesh, "spec": {"egressFilter": {"type": "ALLOW_ALL"}}}},
        request("UpdateVirtualNode", {"version": version}, **node, spec={}),
        dry_run=dry_run,
    )

    assert (409, "ConflictException", 1) == (answer.status, answer.code, answer.json["index"])
    assert f"virtual node n has version 2, not {version}" in answer.message
    assert 2 == metadata(client, node)["version"]
    assert {} == client.describe_mesh(**mesh)["mesh"]["spec"]


def test_one_of_many_concurrent_changes_is_made(api: ApiServer, client: Any, node: dict[str, str]) -> None:
    """The comparison and the write are one transaction."""
    update = request("UpdateVirtualNode", {"version": 2}, **node, spec={})

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: post(api, update).status, range(16)))

    assert [200, *[409] * 15] == sorted(answers)
    assert 3 == metadata(client, node)["version"]


def test_resource_of_the_same_name_and_version_is_refused_by_its_uid(
    api: ApiServer, client: Any, node: dict[str, str]
) -> None:
    """What was deleted and created again is another resource."""
    before = metadata(client, node)
    client.delete_virtual_node(**node)
    client.create_virtual_node(**node, spec={})
    client.update_virtual_node(**node, spec={})

    answer = post(api, request("DeleteVirtualNode", {"version": 2, "uid": before["uid"]}, **node))

    assert (409, "ConflictException") == (answer.status, answer.code)
    assert "virtual node n was deleted and created again" in answer.message


def test_tags_may_be_expected_as_well(api: ApiServer, client: Any, node: dict[str, str]) -> None:
    """All of them: they are in no version, so the version alone would let two clients overwrite each other's."""
    arn = metadata(client, node)["arn"]
    client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "shop"}])
    theirs = {"operation": "TagResource", "parameters": {"resourceArn": arn, "tags": [{"key": "team", "value": "x"}]}}

    made = post(api, request("DescribeVirtualNode", {"version": 2, "tags": {"team": "shop"}}, **node), theirs)
    refused = post(api, request("DescribeVirtualNode", {"version": 2, "tags": {"team": "shop"}}, **node), theirs)

    assert [200, 409] == [made.status, refused.status]
    assert "virtual node n has other tags" in refused.message


def test_deleted_resource_is_not_found(api: ApiServer, client: Any, node: dict[str, str]) -> None:
    """A version is expected of a resource that exists."""
    client.delete_virtual_node(**node)

    assert 404 == post(api, request("UpdateVirtualNode", {"version": 2}, **node, spec={})).status


def test_version_is_that_before_the_transaction(api: ApiServer, node: dict[str, str]) -> None:
    """So two requests about one resource expect the same version, and a condition may stand alone, as a describe."""
    expect = {"version": 2}

    twice = post(
        api,
        request("UpdateVirtualNode", expect, **node, spec={}),
        request("DescribeVirtualNode", expect, **node),
        request("DeleteVirtualNode", expect, **node),
    )

    assert 200 == twice.status, twice.json


@pytest.mark.parametrize(
    "expect",
    [
        None,
        7,
        [],
        {},
        {"version": "2"},
        {"version": True},
        {"version": 2, "uid": 1},
        {"version": 2, "at": 1},
        {"version": 2, "tags": []},
        {"version": 2, "tags": {"a": 1}},
    ],
)
def test_malformed_condition_is_refused(api: ApiServer, node: dict[str, str], expect: Any) -> None:
    """Never ignored: the client relies on it."""
    answer = post(api, request("UpdateVirtualNode", expect, **node, spec={}))

    assert (400, "BadRequestException", 0) == (answer.status, answer.code, answer.json["index"])
    assert answer.message.startswith("expect: send ")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("CreateMesh", {"meshName": "m"}),
        ("ListMeshes", {}),
        ("TagResource", {"resourceArn": "arn:aws:appmesh:us-east-1:1:mesh/m", "tags": []}),
    ],
)
def test_operation_without_an_earlier_version_takes_no_condition(
    api: ApiServer, operation: str, parameters: dict[str, Any]
) -> None:
    """What is created has none; lists and tags are not versioned."""
    answer = post(api, request(operation, {"version": 1}, **parameters))

    assert (400, f"expect: {operation} is not about a version of one resource; leave it out") == (
        answer.status,
        answer.message,
    )
