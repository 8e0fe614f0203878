"""From paths to operations and back, without a socket."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from shopmesh.appmesh import strict_json
from shopmesh.appmesh.api import rest_json
from shopmesh.appmesh.api.model import GA, PREVIEW, VERSIONS, operations
from shopmesh.appmesh.errors import BadRequest, MethodNotAllowed, SerializationError, UnknownOperation
from shopmesh.appmesh.kinds import KINDS

OPERATIONS = [(version, name) for version in VERSIONS for name in operations(version)]


@pytest.mark.parametrize(("version", "name"), OPERATIONS, ids=[f"{n}-{v}" for v, n in OPERATIONS])
def test_every_operation_is_found_by_its_path(version: str, name: str) -> None:
    """Method and path lead to the operation, and names come back from the path as they went in."""
    http = operations(version)[name].model.http
    value = "a.b/c%2F d:é~"
    path = re.sub(r"\{\w+\}", quote(value, safe="-._~"), http["requestUri"])

    found, in_path = rest_json.router(version).find(http["method"], path)

    assert name == found.operation.name
    assert dict.fromkeys(re.findall(r"\{(\w+)\}", http["requestUri"]), value) == in_path


@pytest.mark.parametrize(
    "path", ["", "/", "/v20190125", "/v20190125/meshes/m/routes", "/V20190125/meshes", "/v20190125/tag/x", "//meshes"]
)
def test_unknown_paths(path: str) -> None:
    """What is no path of the version is no operation."""
    with pytest.raises(UnknownOperation):
        rest_json.router(GA).find("GET", path)


def test_versions_do_not_mix() -> None:
    """Each version knows its own paths only."""
    for version, path in ((GA, "/meshes"), (PREVIEW, "/v20190125/meshes")):
        with pytest.raises(UnknownOperation):
            rest_json.router(version).find("GET", path)


def test_known_path_with_another_method() -> None:
    """The methods that the path has are named."""
    with pytest.raises(MethodNotAllowed) as refused:
        rest_json.router(GA).find("POST", "/v20190125/meshes/m")

    assert ("DELETE", "GET", "PUT") == refused.value.allowed


def test_path_that_is_no_utf8() -> None:
    """Percent-encoded bytes that are no text are the client's mistake."""
    with pytest.raises(BadRequest, match="meshName"):
        rest_json.router(GA).find("GET", "/v20190125/meshes/%e9")


def test_path_that_is_utf8_without_percent_signs() -> None:
    """Some clients leave the encoding out; the bytes say the same."""
    _, in_path = rest_json.router(GA).find("GET", "/v20190125/meshes/é".encode().decode("latin-1"))

    assert {"meshName": "é"} == in_path


def test_parts_of_the_path_in_the_body() -> None:
    """A body cannot overrule the path."""
    found, in_path = rest_json.router(GA).find("PUT", "/v20190125/meshes/m")
    with pytest.raises(BadRequest, match="meshName: belongs in the path"):
        rest_json.parse(found, in_path, "", b'{"meshName":"other"}')


def test_query_and_body_reach_their_parameters() -> None:
    """Numbers of the query are numbers, an empty body is none, and plus and percent are decoded."""
    listed, in_path = rest_json.router(GA).find("GET", "/v20190125/meshes")
    tagged, _ = rest_json.router(GA).find("PUT", "/v20190125/tag")

    assert {"limit": 7, "nextToken": "a+b c"} == rest_json.parse(listed, in_path, "limit=7&nextToken=a%2Bb+c", b"")
    assert {"resourceArn": "x", "tags": []} == rest_json.parse(tagged, {}, "resourceArn=x", b'{"tags":[]}')


@pytest.mark.parametrize("depth", [63, 64, 65, 100_000])
def test_depth_is_bounded(depth: int) -> None:
    """Nesting up to the bound is JSON like any other, beyond it is refused, however deep."""
    body = b'{"a":' * depth + b"1" + b"}" * depth
    if depth <= strict_json.DEEPEST:
        assert rest_json.load_object(body)
    else:
        with pytest.raises(SerializationError, match="nested deeper than 64"):
            rest_json.load_object(body)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("1e400", "the number 1e400 is beyond the range of a float"),
        ("-1e400", "the number -1e400 is beyond the range of a float"),
        ("9" * 301, "the number 99999999999999999999… has more than 300 digits"),
        ("9" * 5000, "the number 99999999999999999999… has more than 300 digits"),
        ("NaN", "NaN is not a JSON number"),
        ("-Infinity", "-Infinity is not a JSON number"),
    ],
)
def test_numbers_that_no_float_can_hold(number: str, said: str) -> None:
    """They are refused where they are read, so that nothing behind it overflows."""
    with pytest.raises(SerializationError, match=re.escape(said)):
        rest_json.load_object(b'{"a":' + number.encode() + b"}")


def test_a_key_that_stands_twice_among_many_is_found_in_one_pass() -> None:
    """A body of the full size cannot make the search for it quadratic: this one would take minutes."""
    names = ",".join(f'"{number}":1' for number in range(80_000))
    with pytest.raises(SerializationError, match="an object has the key '79999' twice"):
        rest_json.load_object(f'{{{names},"79999":1}}'.encode())


def test_unknown_operation_by_name() -> None:
    """A misspelt name is answered with the nearest one."""
    with pytest.raises(UnknownOperation, match="did you mean 'CreateMesh'"):
        rest_json.binding_of(GA, "CreateMesg")


def test_kinds_are_the_models() -> None:
    """Seven kinds by five verbs and three operations about tags are all there is."""
    names = {f"{verb}{kind.title}" for verb in ("Create", "Describe", "Update", "Delete") for kind in KINDS.values()}
    names |= {f"List{kind.plural_title}" for kind in KINDS.values()}

    assert names | {"TagResource", "UntagResource", "ListTagsForResource"} == set(operations(GA))
