"""Every error leaves in one shape, whatever refused it, and none of them is the server's fault."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from shopmesh.appmesh.annotations import split_text
from shopmesh.appmesh.api.model import GA, service
from tests.contract.api.conftest import KEY, REGION, SECRET, ApiServer, serving
from tests.contract.api.raw import send
from tests.support.http_answers import Answer

MESHES = "/v20190125/meshes"
SIGNED = "Bearer nonsense"

# method, path, body, headers, status, code
CASES: dict[str, tuple[str, str, str | bytes | None, dict[str, str], int, str]] = {
    "unknown path": ("GET", "/v20190125/mesh", None, {}, 404, "UnknownOperationException"),
    "unknown path of the preview": ("GET", "/meshes/m/virtualServices", None, {}, 404, "UnknownOperationException"),
    "empty name": ("GET", MESHES + "/", None, {}, 400, "BadRequestException"),
    "unknown method": ("PATCH", MESHES, None, {}, 405, "UnknownOperationException"),
    "post": ("POST", MESHES, "{}", {}, 405, "UnknownOperationException"),
    "broken JSON": ("PUT", MESHES, '{"meshName":', {}, 400, "SerializationException"),
    "no JSON object": ("PUT", MESHES, "[]", {}, 400, "SerializationException"),
    "no UTF-8": ("PUT", MESHES, b'{"meshName":"\xff"}', {}, 400, "SerializationException"),
    "NaN": ("PUT", MESHES, '{"meshName":NaN}', {}, 400, "SerializationException"),
    "key twice": ("PUT", MESHES, '{"meshName":"a","meshName":"b"}', {}, 400, "SerializationException"),
    "deep lists": ("PUT", MESHES, "[" * 500_000, {}, 400, "SerializationException"),
    "deep objects": ("PUT", MESHES, '{"a":' * 70 + "1" + "}" * 70, {}, 400, "SerializationException"),
    "long number": ("PUT", MESHES, '{"meshName":' + "9" * 5000 + "}", {}, 400, "SerializationException"),
    "number beyond a float": ("PUT", MESHES, '{"meshName":1e400}', {}, 400, "SerializationException"),
    "wrong type": ("PUT", MESHES, '{"meshName":1}', {}, 400, "BadRequestException"),
    "half a surrogate": ("PUT", MESHES, '{"meshName":"\\ud800"}', {}, 400, "BadRequestException"),
    "control character": ("PUT", MESHES, '{"meshName":"a\\u0000"}', {}, 400, "BadRequestException"),
    "unknown member": ("PUT", MESHES, '{"meshName":"a","spek":{}}', {}, 400, "BadRequestException"),
    "missing member": ("PUT", MESHES, "{}", {}, 400, "BadRequestException"),
    "no body": ("PUT", MESHES, None, {}, 400, "BadRequestException"),
    "slash in a name": ("PUT", MESHES, '{"meshName":"a/b"}', {}, 400, "BadRequestException"),
    "name that is no UTF-8": ("GET", MESHES + "/%ff", None, {}, 400, "BadRequestException"),
    "bad number in the query": ("GET", MESHES + "?limit=many", None, {}, 400, "BadRequestException"),
    "number out of range": ("GET", MESHES + "?limit=101", None, {}, 400, "BadRequestException"),
    "unknown query": ("GET", MESHES + "?limt=1", None, {}, 400, "BadRequestException"),
    "query twice": ("GET", MESHES + "?limit=1&limit=2", None, {}, 400, "BadRequestException"),
    "many query fields": ("GET", MESHES + "?" + "a=1&" * 50, None, {}, 400, "BadRequestException"),
    "garbage token": ("GET", MESHES + "?nextToken=!!", None, {}, 400, "BadRequestException"),
    "missing mesh": ("GET", MESHES + "/nowhere", None, {}, 404, "NotFoundException"),
    "mesh of another account": (
        "GET", MESHES + "/m?meshOwner=999999999999", None, {}, 403, "ForbiddenException",
    ),
    "bad ARN": ("GET", "/v20190125/tags?resourceArn=x", None, {}, 400, "BadRequestException"),
    "form": (
        "PUT", MESHES, "a=b", {"content-type": "application/x-www-form-urlencoded"}, 415,
        "UnsupportedMediaTypeException",
    ),
    "large body": ("PUT", MESHES, b" " * 10_000_000, {}, 413, "RequestEntityTooLargeException"),
    "huge length": ("PUT", MESHES, None, {"content-length": "9" * 15}, 413, "RequestEntityTooLargeException"),
    "several, no list": ("POST", "/shopmesh/v1/requests", "{}", {}, 400, "BadRequestException"),
    "several, not posted": ("GET", "/shopmesh/v1/requests", None, {}, 405, "UnknownOperationException"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_error_has_the_shape(api: ApiServer, case: str) -> None:
    """Status and code as expected, the code in the header, a message for people in the body, a request id."""
    method, path, body, headers, status, code = CASES[case]

    answer = send(api.port, method, path, body, headers)

    assert (status, code) == (answer.status, answer.code), answer.body
    _assert_shape(answer)


def test_refused_signature_has_the_shape() -> None:
    """What the check of signatures refuses looks like every other error."""
    with serving(credentials={KEY: SECRET}) as secured:
        for headers, status in (({}, 403), ({"authorization": SIGNED}, 400)):
            answer = send(secured.port, "GET", MESHES, headers=headers)
            assert status == answer.status
            _assert_shape(answer)


def test_head_has_no_body(api: ApiServer) -> None:
    """HEAD is not one of the API's methods, and its answer carries no body that would end up in the next one."""
    answer = send(api.port, "HEAD", MESHES)

    assert (405, b"", "GET, PUT") == (answer.status, answer.body, answer.headers["allow"])


def test_internal_error_shows_an_id_and_nothing_else() -> None:
    """A defect of the server is logged under an id; the client sees the id, and no word of the cause."""

    def broken() -> str:
        raise RuntimeError("the secret cause")

    with serving(new_uid=broken) as server:
        answer = send(server.port, "PUT", MESHES, '{"meshName":"m"}')

    assert (500, "InternalServerErrorException") == (answer.status, answer.code)
    assert "secret cause" not in answer.message
    _assert_shape(answer, faultless=False)


def test_statuses_are_the_models(client: Any, mesh: str) -> None:
    """For each code that operations answer, the HTTP status is that of the model's error shape."""
    with pytest.raises(client.exceptions.ConflictException) as conflict:
        client.create_mesh(meshName=mesh)

    expected = {s.name: s.metadata["error"]["httpStatusCode"] for s in service(GA).error_shapes}
    assert expected["ConflictException"] == conflict.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_message_names_field_value_and_what_is_allowed(api: ApiServer, mesh: str) -> None:
    """All that is wrong stands in one message, each with its path, its value and what is allowed there."""
    listener = {"portMapping": {"port": 70000, "protocol": "htp"}}
    body = {"virtualNodeName": "n", "spec": {"listeners": [listener], "backend": []}}

    answer = send(api.port, "PUT", f"{MESHES}/{mesh}/virtualNodes", json.dumps(body))

    assert (
        "spec.listeners[0].portMapping.port: 70000 is out of range; allowed are 1 to 65535; "
        "spec.listeners[0].portMapping.protocol: 'htp' must be one of http, tcp, http2, grpc; "
        "spec.backend: unknown; did you mean 'backends'?" == answer.message
    )


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ('{"cluster/x": {"lb_policy": 1e400}}', "the number 1e400 is beyond the range of a float"),
        ('{"cluster/x": {"lb_policy": ' + "9" * 4400 + "}}", "has more than 300 digits"),
        ('{"cluster/x": {"lb_policy": []}}', "cluster/x.lb_policy is []: "),
    ],
)
def test_a_tag_that_cannot_be_converted_is_the_client_s_mistake(client: Any, mesh: str, patch: str, said: str) -> None:
    """Whatever Python or protobuf raise for its values, the answer is 400, with the tag and the reason."""
    node = client.create_virtual_node(meshName=mesh, virtualNodeName="patched", spec={})["virtualNode"]
    tags = [{"key": key, "value": value} for key, value in split_text("shopmesh.dev/patch", patch).items()]
    with pytest.raises(client.exceptions.BadRequestException, match=re.escape(said)):
        client.tag_resource(resourceArn=node["metadata"]["arn"], tags=tags)


def test_tags_of_another_region_are_not_found(client: Any, mesh: str) -> None:
    """An ARN of another region names nothing here."""
    other = "eu-west-1" if REGION == "us-east-1" else "us-east-1"
    with pytest.raises(client.exceptions.NotFoundException):
        client.list_tags_for_resource(resourceArn=f"arn:aws:appmesh:{other}:123456789012:mesh/{mesh}")


def _assert_shape(answer: Answer, faultless: bool = True) -> None:
    assert "application/json" == answer.headers["content-type"]
    assert answer.headers["x-amzn-requestid"]
    assert answer.headers["x-amzn-errortype"].endswith("Exception")
    assert ["message"] == list(answer.json)
    assert answer.message
    assert answer.status < 500 or not faultless
