"""Who changed an object of a cluster: by its field managers, among them those of this control plane's clients."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA
from shopmesh.kubernetes.store.authors import field_manager, last_author
from shopmesh.server.store.author import UNKNOWN, Author
from shopmesh.server.store.store import Commit
from tests.unit.kubernetes.conftest import World

KUBECTL = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-01T10:00:02Z"}
STATUS = {"manager": "shopmesh", "operation": "Update", "time": "2026-11-01T10:00:09Z", "subresource": "status"}
MESH: dict[str, Any] = {
    "apiVersion": "appmesh.k8s.aws/v1beta2",
    "kind": "Mesh",
    "metadata": {"name": "other"},
    "spec": {"namespaceSelector": {"matchLabels": {"mesh": "other"}}},
}


def entry(manager: str, time: str = "2026-11-01T10:00:01Z") -> dict[str, str]:
    return {"manager": manager, "operation": "Update", "time": time}


@pytest.mark.parametrize(
    ("entries", "author"),
    [
        ([KUBECTL, STATUS], Author("kubectl-edit", "kubernetes")),
        ([KUBECTL, entry("helm")], Author("kubectl-edit", "kubernetes")),
        ([entry("kubectl-create"), entry("argocd")], Author("argocd", "kubernetes")),
        ([entry("shopmesh")], Author("shopmesh", "kubernetes")),
        ([entry("shopmesh:start")], Author(None, "start")),
        ([entry("shopmesh:console:AKID")], Author("AKID", "console")),
        ([entry("shopmesh:window:AKID")], Author("AKID", None)),
        ([], Author(None, "kubernetes")),
        (None, Author(None, "kubernetes")),
        ("no list", Author(None, "kubernetes")),
        ([None, 7, "text", {"manager": ["x"], "time": 1}], Author("['x']", "kubernetes")),
    ],
)
def test_last_writer_of_an_object_is_its_author(entries: Any, author: Author) -> None:
    """Writes of the status do not count; a door of a later version is unknown."""
    assert author == last_author({"metadata": {"managedFields": entries}})


def test_field_manager_is_one_that_the_api_server_accepts() -> None:
    """At most 128 printable characters; without a known author the API server names the program."""
    assert field_manager(UNKNOWN) is None
    assert "shopmesh:api:AKID" == field_manager(Author("AKID", "api"))
    assert "shopmesh:api:a?b" == field_manager(Author("a\tb", "api"))
    assert 128 == len(field_manager(Author("A" * 300, "api")) or "")


@pytest.fixture
def commits(world: World) -> list[Commit]:
    found: list[Commit] = []
    world.store.subscribe(found.append)
    return found


def do(world: World, author: Author, operation: str, **parameters: Any) -> None:
    call = rest_json.binding_of(GA, operation)
    checked = rest_json.validate(call, parameters)
    world.run(
        world.store.submit(lambda t: operations.handle(call.operation, checked, t, world.store.context()), author)
    )


def test_changes_through_the_api_have_the_author_of_the_request(world: World, commits: list[Commit]) -> None:
    """A deleted object has no field managers, and still its deletion has an author."""
    author = Author("AKID", "console")
    do(world, author, "CreateMesh", meshName="third")
    do(world, author, "DeleteMesh", meshName="third")

    assert [author, author] == [one.author for one in commits]


def test_changes_by_other_clients_have_their_field_managers(world: World, commits: list[Commit]) -> None:
    """Objects that several clients wrote, and that arrive together, have all of them as authors."""
    edited = {**MESH, "metadata": {"name": "other", "managedFields": [KUBECTL]}}
    applied = {**MESH, "metadata": {"name": "third", "managedFields": [entry("helm")]}}
    world.tell(edited)
    world.tell({**edited, "spec": {**edited["spec"], "egressFilter": {"type": "ALLOW_ALL"}}}, applied)
    world.take_away("Mesh", "third")

    assert [
        Author("kubectl-edit", "kubernetes"),
        Author("helm, kubectl-edit", "kubernetes"),
        Author(None, "kubernetes"),
    ] == [one.author for one in commits]
