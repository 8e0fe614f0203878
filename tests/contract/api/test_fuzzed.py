"""Requests of every operation with something wrong in them: each gets an answer that is not the server's fault."""

from __future__ import annotations

import copy
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from botocore.model import StructureShape
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings

from shopmesh.appmesh.api.model import VERSIONS, operations
from tests.contract.api.conftest import ApiServer
from tests.contract.api.raw import send
from tests.support.inputs import NODES, PORT, SERVICE, VARIANTS, maximal, protocol_of

MESH = "fuzzed"
SEVERAL = "/shopmesh/v1/requests"

# Without halves of surrogates: as text of JSON they are among the samples.
_CHARACTERS = st.characters(codec="utf-8")
_PRINTED = st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="".join(map(chr, range(127, 160))))

TEXTS = st.one_of(
    st.text(_CHARACTERS, max_size=20),
    st.sampled_from(["", "\x00", "\ud800", "..", "%", "(?=x)", "(" * 300, "a" * 100_000, "arn:aws:appmesh:", "%REQ("]),
)
NUMBERS = st.sampled_from([0, -1, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e308, -0.0])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just([[]] * 200),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
SEGMENTS = st.one_of(
    st.sampled_from(["", ".", "..", "%", "%00", "%2F", "%ff", "%ed%a0%80", "a;b", "a%0d%0ab", "*", "a" * 5_000]),
    st.text(max_size=8).map(lambda text: urllib.parse.quote(text.encode(errors="replace"), safe="")),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "accept", "authorization", "x-amz-date", "x-amz-target", "expect", "content-encoding", "x-x"]
    ),
    st.one_of(
        st.text(_PRINTED, max_size=30),
        st.sampled_from(["application/json; charset=utf-16", "gzip", "AWS4-HMAC-SHA256 Credential=///", "a" * 5_000]),
    ),
    max_size=2,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any, dict[str, str]]:
    """Method, path, body, headers: a valid request with one to three things changed."""
    version = draw(st.sampled_from(VERSIONS))
    operation = operations(version)[draw(st.sampled_from(sorted(operations(version))))]
    shape = operation.model.input_shape
    assert isinstance(shape, StructureShape)
    parameters = maximal(shape, draw(st.sampled_from(VARIANTS)))
    parameters |= {"meshName": MESH} if "meshName" in parameters else {}
    changed = draw(st.sampled_from(["body", "body", "path", "headers", "several"]))
    if changed == "several":
        wanted = {"requests": [{"operation": operation.name, "parameters": parameters}], "dryRun": draw(st.booleans())}
        return "POST", SEVERAL, _spoilt(draw, wanted), {}
    made = create_serializer("rest-json").serialize_to_request(parameters, operation.model)
    body = json.loads(made["body"]) if made["body"] else None
    query = urllib.parse.urlencode(made["query_string"])
    path = made["url_path"] + (f"?{query}" if query else "")
    if changed == "path" or (changed == "body" and body is None):
        return made["method"], _elsewhere(draw, path), body, {}
    if changed == "headers":
        return made["method"], _elsewhere(draw, path) if made["method"] == "DELETE" else path, body, draw(HEADERS)
    return made["method"], path, _spoilt(draw, body), {}


def _elsewhere(draw: st.DrawFn, path: str) -> str:
    """The path with one of its parts, or of its query, changed, gone or twice."""
    for mark in ("&", "/"):
        parts = path.split(mark)
        if len(parts) > 1:
            index = draw(st.integers(1, len(parts) - 1))
            parts[index : index + 1] = draw(st.sampled_from([[], [parts[index]] * 2, [draw(SEGMENTS)]]))
            path = mark.join(parts)
    return path


def _spoilt(draw: st.DrawFn, document: Any) -> Any:
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(found))
        if not places:
            break
        inside, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["another", "gone", "renamed", "twice"])):
            case "gone":
                del inside[key]
            case "renamed" if isinstance(inside, dict):
                name = draw(st.one_of(st.text(max_size=5), st.sampled_from(list(inside))))
                inside[name] = inside.pop(key)
            case "twice" if isinstance(inside, list):
                inside.extend([copy.deepcopy(inside[key])] * draw(st.sampled_from([1, 60])))
            case _:
                inside[key] = copy.deepcopy(draw(VALUES))
    return found


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in a document."""
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, inner in entries:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


@pytest.fixture(scope="module")
def full(api: ApiServer) -> ApiServer:
    """The API with a mesh that has what the synthesised requests refer to, so that they get as far as they can."""
    client = api.client()
    client.create_mesh(meshName=MESH)
    listeners = [{"portMapping": {"port": PORT + number, "protocol": protocol_of(number)}} for number in range(4)]
    for node in NODES:
        client.create_virtual_node(meshName=MESH, virtualNodeName=node, spec={"listeners": listeners})
    client.create_virtual_router(meshName=MESH, virtualRouterName="router", spec={"listeners": listeners})
    client.create_virtual_service(meshName=MESH, virtualServiceName=SERVICE, spec={})
    client.create_virtual_gateway(meshName=MESH, virtualGatewayName="gateway", spec={"listeners": listeners[:1]})
    return api


@given(fuzzed=requests())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_is_no_fault_of_the_server(
    full: ApiServer, fuzzed: tuple[str, str, Any, dict[str, str]]
) -> None:
    """Types swapped, keys gone, values enormous, odd paths and headers: an answer below 500, and the store goes on."""
    method, path, body, headers = fuzzed

    answer = send(full.port, method, path, None if body is None else json.dumps(body), headers)

    assert 200 <= answer.status < 500, answer.body
