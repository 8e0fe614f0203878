"""API documents to manifests and back: nothing is lost, whatever the model allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.model import ListShape, Shape, StringShape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopmesh.appmesh.api.model import GA, service
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key
from shopmesh.documents import (
    DeclaredResource,
    Source,
    creation_order,
    declared_resources,
    documents,
    manifests,
    problems,
)
from shopmesh.documents.equality import normalise

MESH = Path(__file__).parents[3] / "mesh"

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
NAMES = st.sampled_from(
    ["product-vn", "product_default", "product.default", "product.default.svc.cluster.local", "Product V2", "a/b"]
)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """All documents of a shape, small ones."""
    if isinstance(shape, StructureShape):
        members = {name: values(member) for name, member in shape.members.items()}
        if shape.is_tagged_union:
            return st.one_of(*(st.fixed_dictionaries({name: member}) for name, member in members.items()))
        required = {name: members[name] for name in shape.required_members}
        return st.fixed_dictionaries(required, optional={n: m for n, m in members.items() if n not in required})
    if isinstance(shape, ListShape):
        return st.lists(values(shape.member), min_size=shape.metadata.get("min", 0), max_size=2)
    if isinstance(shape, StringShape):
        if shape.enum:
            return st.sampled_from(shape.enum)
        return NAMES if shape.name in ("ResourceName", "ServiceName") else TEXT
    if shape.type_name == "boolean":
        return st.booleans()
    return st.integers(shape.metadata.get("min", 0), shape.metadata.get("max", 9))


SPECS = {
    kind: st.deferred(
        lambda kind=kind: values(  # type: ignore[misc]  # bound for each kind
            service(GA).operation_model(f"Create{KINDS[kind].title}").input_shape.members["spec"]  # type: ignore[union-attr]  # every operation has an input
        )
    )
    for kind in KINDS
}


@st.composite
def meshes(draw: st.DrawFn) -> list[DeclaredResource]:
    """One mesh with up to two resources of each kind below each parent."""
    found = [DeclaredResource(Key("mesh", (draw(NAMES),)), draw(SPECS["mesh"]))]
    for kind in KINDS.values():
        if not kind.parents:
            continue
        for above in [resource for resource in found if resource.key.kind == kind.parents[-1]]:
            for name in draw(st.lists(NAMES, max_size=2, unique=True)):
                key = Key(kind.name, (*above.key.path, name))
                found.append(DeclaredResource(key, draw(SPECS[kind.name])))
    return creation_order(found)


def sources(objects: list[dict[str, Any]]) -> list[Source]:
    return documents(yaml.safe_dump_all(objects, sort_keys=False), "mesh.yaml")


@given(meshes())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_document_that_the_model_allows_survives_as_a_manifest(mesh: list[DeclaredResource]) -> None:
    """After API → manifest → YAML → API keys are the same and specs mean the same, for each field of the model."""
    back = declared_resources(sources(manifests(mesh)))

    assert [(r.key, normalise(r.spec)) for r in mesh] == [(r.key, normalise(r.spec)) for r in back]


@given(meshes())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_manifests_are_stable(mesh: list[DeclaredResource]) -> None:
    """Manifests read and written again are the same manifests: tags bring back what the API has no place for."""
    first = manifests(mesh)

    assert first == manifests(declared_resources(sources(first)))


@pytest.mark.demo
def test_the_committed_mesh_survives_the_store() -> None:
    """The demo's manifests come back word for word, with object names and selectors, from what the API keeps."""
    read = [source for file in sorted(MESH.glob("*.yaml")) for source in documents(file.read_text(), file.name)]

    written = {(m["kind"], m["metadata"]["name"]): m for m in manifests(declared_resources(read))}

    assert {(s.value["kind"], s.value["metadata"]["name"]): s.value for s in read} == written
    assert not list(problems(declared_resources(read)))


def test_only_what_cannot_be_guessed_is_kept_in_tags() -> None:
    """A manifest that says no more than its API document carries no tag at all."""
    plain = DeclaredResource(Key("mesh", ("shopmesh",)), {"egressFilter": {"type": "DROP_ALL"}})

    [back] = declared_resources(sources(manifests([plain])))

    assert {} == back.tags


def test_one_manifest_without_a_namespace_is_read_beside_others_that_exist() -> None:
    """Its references lead to objects that were applied without a namespace as well: all of them are of the default."""
    head = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: "
    mesh = f"{head}Mesh\nmetadata: {{name: shop}}\nspec: {{}}\n"
    node = f"{head}VirtualNode\nmetadata: {{name: one}}\nspec: {{awsName: one-vn}}\n"
    reference = "{virtualNodeRef: {name: one}}"
    service = f"{head}VirtualService\nmetadata: {{name: web}}\nspec: {{provider: {{virtualNode: {reference}}}}}\n"
    existing = declared_resources(documents("---\n".join([mesh, node]), "mesh.yaml"))

    [found] = declared_resources(documents(service, "web.yaml"), "shop", existing)

    assert {"provider": {"virtualNode": {"virtualNodeName": "one-vn"}}} == found.spec
