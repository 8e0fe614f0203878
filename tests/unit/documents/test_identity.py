"""Manifests → store → export → store, over whole meshes: nothing is lost, and nothing would be changed."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopmesh.appmesh.store import Document, Key, State
from shopmesh.client import diff
from shopmesh.client.plan import plan
from shopmesh.documents import (
    ORDER,
    DeclaredResource,
    as_json,
    as_yaml,
    creation_order,
    declared_resources,
    document,
    documents,
    manifests,
)
from shopmesh.documents.equality import normalise
from tests.support.annotating import annotated
from tests.support.meshes import TEXT, meshes
from tests.support.states import arn, creations, state_after, state_of

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
TAGS = st.dictionaries(TEXT.filter(lambda name: not name.startswith("aws:")), TEXT, max_size=2)


def read(state: State) -> list[DeclaredResource]:
    """What the API answers about all of it."""
    return creation_order(DeclaredResource(resource.key, resource.spec, dict(resource.tags)) for resource in state)


def applied(text: str, file: str, state: State | None = None) -> State:
    """The store after `shopmesh apply` of this text, to an empty one or to one that holds something."""
    existing = {resource.key: (resource, arn(resource.key)) for resource in read(state or State())}
    wanted = declared_resources(documents(text, file), existing=[resource for resource, _ in existing.values()])
    steps = plan(wanted, existing)
    if state is not None:
        assert [] == list(diff((resource for resource, _ in existing.values()), steps))
        assert {"unchanged"} >= {step.verb for step in steps}
    return state_after(request for step in steps for request in step.requests)


def decorated(manifest: dict[str, Any]) -> dict[str, Any]:
    names = {"VirtualNode": [""], "VirtualService": [""]}.get(manifest["kind"], [])
    names += [f"{route['name']}." for route in manifest["spec"].get("routes", [])]
    headers = "||".join(f"x-{number}=a value" for number in range(40))
    said = {f"shopmesh.dev/{name}request-headers-add": headers for name in names}
    metadata = {**manifest["metadata"], **({"annotations": said} if said else {})}
    selector = {"podSelector": {"matchLabels": {"app": "x" * 300}}}
    selected = selector if manifest["kind"] in ("VirtualNode", "VirtualGateway") else {}
    return {**manifest, "metadata": metadata, "spec": {**manifest["spec"], **selected}}


@given(meshes())
@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
def test_manifests_bring_the_same_mesh_back(mesh: list[tuple[Key, Document]]) -> None:
    """Manifests written from a store make the same store again, and applied to the first change nothing.

    They say what the API has no place for as well: selectors, annotations.
    """
    given_ones = [decorated(manifest) for manifest in manifests(read(state_of(mesh)))]
    first = applied(as_yaml(given_ones), "mesh.yaml")

    text = as_yaml(manifests(read(first)))
    again = applied(text, "mesh.yaml")
    applied(text, "mesh.yaml", first)

    assert {resource.key: normalise(resource.spec) for resource in first} == {
        key: normalise(spec) for key, spec in mesh
    }
    assert given_ones == manifests(read(first))
    assert read(first) == read(again)


@given(meshes(), TAGS)
@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
def test_json_brings_the_same_mesh_back_with_all_tags(mesh: list[tuple[Key, Document]], tags: dict[str, str]) -> None:
    """The aws CLI's documents keep tags of any name, on every resource."""
    first = state_of(mesh, lambda key: tags)

    text = "".join(as_json(document(resource)) for resource in read(first))

    assert read(first) == read(applied(text, "mesh.json"))
    applied(text, "mesh.json", first)


@st.composite
def annotated_meshes(draw: st.DrawFn, sets: int) -> tuple[list[tuple[Key, Document]], list[dict[Key, dict[str, str]]]]:
    """A mesh, and so many sets of annotations for its resources."""
    mesh = draw(meshes())
    nodes = [key.name for key, _ in mesh if key.kind == "virtualNode"]
    return mesh, [{key: draw(annotated(key, nodes)) for key, _ in mesh} for _ in range(sets)]


def annotations_of(state: State) -> dict[Key, dict[str, str]]:
    return {
        resource.key: {name: value for name, value in resource.tags if name.startswith("shopmesh.dev/")}
        for resource in state
    }


@given(annotated_meshes(1))
@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
def test_annotations_come_back_from_wherever_they_were_set(
    drawn: tuple[list[tuple[Key, Document]], list[dict[Key, dict[str, str]]]],
) -> None:
    """Tags of the vocabulary that the API was given, on routes too and in pieces of any size, survive as manifests."""
    mesh, [tags] = drawn

    again = applied(as_yaml(manifests(read(state_of(mesh, tags.__getitem__)))), "mesh.yaml")

    assert tags == annotations_of(again)
    applied(as_yaml(manifests(read(again))), "mesh.yaml", again)


@given(annotated_meshes(2))
@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
def test_annotations_take_the_place_of_those_before(
    drawn: tuple[list[tuple[Key, Document]], list[dict[Key, dict[str, str]]]],
) -> None:
    """Applied to a mesh with any annotations, manifests with any others leave it with theirs; no step is refused."""
    mesh, [before, after] = drawn
    first = state_of(mesh, before.__getitem__)
    text = as_yaml(manifests(read(state_of(mesh, after.__getitem__))))

    existing = {resource.key: (resource, arn(resource.key)) for resource in read(first)}
    wanted = declared_resources(documents(text, "mesh.yaml"), existing=[resource for resource, _ in existing.values()])
    changes = [request for step in plan(wanted, existing) for request in step.requests]

    assert after == annotations_of(state_after([*creations(mesh, before.__getitem__), *changes]))


def test_every_kind_is_drawn() -> None:
    """The meshes that the tests above run over have resources of all seven kinds."""
    seen: set[str] = set()

    @given(meshes())
    @settings(max_examples=40, deadline=None, suppress_health_check=SLOW, database=None, derandomize=True)
    def look(mesh: list[tuple[Key, Document]]) -> None:
        seen.update(key.kind for key, _ in mesh)

    look()

    assert set(ORDER) == seen
