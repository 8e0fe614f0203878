"""Every operation of both versions, with inputs synthesised from the model, through unmodified boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.model import ListShape, Shape, StructureShape

from shopmesh.appmesh.api.model import GA, PREVIEW, VERSIONS, Operation, operations
from shopmesh.appmesh.kinds import KINDS, Kind
from tests.contract.api.conftest import REGION, ApiServer
from tests.support.inputs import ACCOUNT, NODES, PORT, SERVICE, VARIANTS, maximal, minimal, protocol_of


def _input(operation: Operation) -> StructureShape:
    shape = operation.model.input_shape
    assert isinstance(shape, StructureShape)
    return shape


def _cases() -> Iterator[Any]:
    for version in VERSIONS:
        for name, operation in operations(version).items():
            # Without a specification, one variant has every member.
            for variant in (None, *VARIANTS) if "spec" in _input(operation).members else (None, 0):
                size = "minimal" if variant is None else f"maximal{variant}"
                yield pytest.param(version, name, variant, id=f"{name}-{version}-{size}")


def test_the_model_has_the_operations_that_are_promised() -> None:
    """38 operations of 2019-01-25 and 19 of 2018-10-01."""
    assert {GA: 38, PREVIEW: 19} == {version: len(operations(version)) for version in VERSIONS}


@pytest.mark.parametrize(("version", "name", "variant"), list(_cases()))
def test_operation_answers(api: ApiServer, name: str, version: str, variant: int | None, mesh: str) -> None:
    """Each operation takes its synthesised input; botocore finds all required members and the specification sent."""
    operation = operations(version)[name]
    shape = _input(operation)
    parameters = minimal(shape) if variant is None else maximal(shape, variant)
    _arrange(api, operation, variant or 0, mesh)
    _adjust(parameters, operation, mesh)

    answer = getattr(api.client(version), xform_name(name))(**parameters)

    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    _assert_shaped(operation, answer)
    if "spec" in parameters and operation.kind is not None:
        expected = parameters["spec"]
        if version == PREVIEW and operation.kind.name == "virtualRouter":
            expected = {"serviceNames": [], **expected}
        assert expected == answer[operation.kind.name]["spec"]


def _arrange(api: ApiServer, operation: Operation, variant: int, mesh: str) -> None:
    """Makes what the operation needs: parents, what it refers to, and the resource unless it is to be created."""
    client, kind = api.client(), operation.kind
    if operation.kind is None:
        return
    mapping = {"port": PORT, "protocol": protocol_of(variant)}
    listeners = [{"portMapping": mapping}]
    router = {"meshName": mesh, "virtualRouterName": "router"}
    assert kind is not None
    for node in NODES:
        if kind.name == "route" or (kind.name == "virtualNode" and node == NODES[0] and _exists(operation)):
            client.create_virtual_node(meshName=mesh, virtualNodeName=node, spec={"listeners": listeners})
    if kind.name == "virtualService":
        client.create_virtual_node(meshName=mesh, virtualNodeName=NODES[0], spec={})
        client.create_virtual_router(**router, spec={})
    if kind.name == "route" or (kind.name == "virtualRouter" and _exists(operation)):
        client.create_virtual_router(**router, spec={"listeners": listeners} if operation.version == GA else {})
    if kind.name == "gatewayRoute" or (kind.name == "virtualService" and _exists(operation)):
        client.create_virtual_service(meshName=mesh, virtualServiceName=SERVICE, spec={})
    if kind.name == "gatewayRoute" or (kind.name == "virtualGateway" and _exists(operation)):
        mapping = {"port": PORT, "protocol": protocol_of(variant, gateway=True)}
        spec = {"listeners": [{"portMapping": mapping}]}
        client.create_virtual_gateway(meshName=mesh, virtualGatewayName="gateway", spec=spec)
    if kind.name in ("route", "gatewayRoute") and _exists(operation):
        create = operations(GA)[f"Create{kind.title}"]
        parameters = maximal(_input(create), variant)
        _adjust(parameters, create, mesh)
        getattr(client, xform_name(create.name))(**parameters)


def _exists(operation: Operation) -> bool:
    return operation.verb in ("Describe", "Update", "Delete")


def _adjust(parameters: dict[str, Any], operation: Operation, mesh: str) -> None:
    if "meshName" in parameters:
        parameters["meshName"] = mesh if operation.name != "CreateMesh" else f"{mesh}-new"
    if "resourceArn" in parameters:
        parameters["resourceArn"] = f"arn:aws:appmesh:{REGION}:{ACCOUNT}:mesh/{mesh}"
    if "clientToken" in parameters:
        parameters["clientToken"] = f"token-{operation.name}-{mesh}"


def _assert_shaped(operation: Operation, answer: dict[str, Any]) -> None:
    shape = operation.model.output_shape
    assert shape is not None
    _assert_required(shape, answer, operation.name)


def _assert_required(shape: Shape, value: Any, where: str) -> None:
    if isinstance(shape, StructureShape):
        assert set(shape.required_members) <= value.keys() <= shape.members.keys(), where
        for name, item in value.items():
            _assert_required(shape.members[name], item, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            _assert_required(shape.member, item, f"{where}[]")


def test_every_member_of_every_specification_is_sent() -> None:
    """The variants together cover each member that a specification of the later API can have."""
    for kind in KINDS.values():
        shape = _input(operations(GA)[f"Create{kind.title}"])
        sent: set[tuple[str, str]] = set()
        for variant in VARIANTS:
            _collect(shape, maximal(shape, variant), sent)
        assert _all_members(kind) == sent


def _collect(shape: Shape, value: Any, into: set[tuple[str, str]]) -> None:
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            into.add((shape.name, name))
            _collect(shape.members[name], item, into)
    elif isinstance(shape, ListShape):
        for item in value:
            _collect(shape.member, item, into)


def _all_members(kind: Kind) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()

    def walk(shape: Shape) -> None:
        if isinstance(shape, StructureShape):
            for name, member in shape.members.items():
                found.add((shape.name, name))
                walk(member)
        elif isinstance(shape, ListShape):
            walk(shape.member)

    walk(_input(operations(GA)[f"Create{kind.title}"]))
    return found
