"""The types of documents are those of the published model: no key more, none less, the same ones required."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Required, get_args, get_origin, get_type_hints, is_typeddict

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape

from shopmesh.appmesh import document_types

MODEL = botocore.session.get_session().get_service_model("appmesh")

READ_AT: dict[str, tuple[str, ...]] = {
    "ListenerDocument": ("Listener", "VirtualGatewayListener", "VirtualRouterListener"),
    "BackendDocument": ("Backend",),
    "BackendDefaultsDocument": ("BackendDefaults", "VirtualGatewayBackendDefaults"),
    "AccessLogFileDocument": ("FileAccessLog", "VirtualGatewayFileAccessLog"),
    "ServiceDiscoveryDocument": ("ServiceDiscovery",),
    "RouteDocument": ("HttpRoute", "GrpcRoute", "TcpRoute"),
    "GatewayRouteDocument": ("HttpGatewayRoute", "GrpcGatewayRoute"),
}
"""The outermost types, and the shapes of the model that they stand for; all others are members of these."""

DOCUMENTS = [name for name, found in vars(document_types).items() if is_typeddict(found)]


def shapes() -> dict[str, set[str]]:
    """Each type with the names of all shapes that it stands for."""
    found: dict[str, set[str]] = {name: set() for name in DOCUMENTS}

    def note(name: str, shape: StructureShape) -> None:
        if shape.name in found[name]:
            return
        found[name].add(shape.name)
        for field, hint in fields(name).items():
            if field in shape.members and (inner := document_of(hint)) is not None:
                note(inner, structure(shape.members[field]))

    for name, of in READ_AT.items():
        for one in of:
            shape = MODEL.shape_for(one)
            assert isinstance(shape, StructureShape)
            note(name, shape)
    return found


def fields(name: str) -> dict[str, Any]:
    return get_type_hints(getattr(document_types, name), include_extras=True)


def document_of(hint: Any) -> str | None:
    """The document inside a field's type: itself, or of a list."""
    if get_origin(hint) not in (None, Mapping):
        return next((inner for one in get_args(hint) if (inner := document_of(one)) is not None), None)
    return hint.__name__ if inspect.isclass(hint) and is_typeddict(hint) else None


def structure(shape: Shape) -> StructureShape:
    while isinstance(shape, ListShape):
        shape = shape.member
    assert isinstance(shape, StructureShape)
    return shape


def members(names: set[str]) -> Iterator[StructureShape]:
    for name in names:
        shape = MODEL.shape_for(name)
        assert isinstance(shape, StructureShape)
        yield shape


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_the_fields_of_its_shapes(name: str) -> None:
    """Of all of them together; a field is required if every shape has it and requires it."""
    of = list(members(shapes()[name]))
    typed = fields(name)
    total = getattr(document_types, name).__total__
    required = {field for field, hint in typed.items() if total or get_origin(hint) is Required}

    assert of, "no shape of the model leads to it"
    assert {field for shape in of for field in shape.members} == set(typed)
    assert set.intersection(*({*shape.required_members} for shape in of)) == required
