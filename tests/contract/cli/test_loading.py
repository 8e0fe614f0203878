"""What `shopmesh up` does with mesh/ and a store that earlier runs left: it loads what is new, and reports the rest."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.client import Client, list_meshes, read_mesh
from shopmesh.local.mesh.from_manifests import read_manifests
from shopmesh.local.mesh.loading import LoadResult, load
from shopmesh.local.run_dir import RunFolder
from tests.contract.cli.conftest import Run
from tests.support.templates import templates

MESH = Path(__file__).parents[3] / "mesh"
FILE = "mesh/storefront.yaml"

Load = Callable[[], LoadResult]


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder `mesh`, in the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(MESH, tmp_path / "mesh")
    return tmp_path / "mesh"


@pytest.fixture
def up(client: Client, mesh: Path, tmp_path: Path) -> Load:
    """Each call loads as one run of `shopmesh up` does, with what the run folder holds."""

    def run() -> LoadResult:
        folder = RunFolder.open(tmp_path / "run")
        try:
            found = load(client, read_manifests(mesh), folder.read_known_keys(), "mesh/")
            folder.record_known_keys(found.known)
            return found
        finally:
            folder.close()

    return run


def add_storefront(mesh: Path) -> None:
    (mesh / "storefront.yaml").write_text(templates("storefront").render_folder("service")[FILE])


def names(client: Client) -> set[str]:
    return {resource.key.name for resource in read_mesh(client, "shopmesh")}


def commands(text: str) -> list[list[str]]:
    """The arguments of each command that a line names."""
    return [shlex.split(one)[1:] for quoted in re.findall(r"`(shopmesh [^`]+)`", text) for one in quoted.split(" && ")]


def test_a_first_run_creates_all_and_the_next_says_nothing(client: Client, up: Load) -> None:
    """As long as neither mesh/ nor the store has changed."""
    assert up().created
    again = up()

    assert ["shopmesh"] == list_meshes(client)
    assert (False, (), frozenset()) == (again.created, again.notes, again.missing)


def test_what_is_new_in_the_folder_is_created(client: Client, up: Load, mesh: Path) -> None:
    """With one line that names it."""
    up()
    add_storefront(mesh)

    (note,) = up().notes
    assert note.startswith("created what is new in mesh/: ")
    assert "virtualNode storefront-vn" in note
    assert {"storefront-vn", "storefront-r"} <= names(client)
    assert () == up().notes


def test_what_was_deleted_on_purpose_does_not_come_back(client: Client, up: Load, shopmesh: Run) -> None:
    """In no later run; the line says how to have it again."""
    up()
    shopmesh("delete", "virtualservice", "product")

    for _ in range(2):
        found = up()
        assert frozenset([Key("virtualService", ("shopmesh", "product.default.svc.cluster.local"))]) == found.missing
        assert "product.default.svc.cluster.local" not in names(client)
    (note,) = found.notes
    assert "the store lacks virtualService product.default.svc.cluster.local" in note
    for arguments in commands(note):
        assert ["apply", "-f", "mesh/product.yaml"] == arguments
        shopmesh(*arguments)
    assert () == up().notes


def test_what_the_store_has_otherwise_is_kept_and_named(up: Load, shopmesh: Run) -> None:
    """The weights of a canary outlive a restart; the commands show the difference, and take mesh/'s."""
    up()
    shopmesh("route", "product", "product-v2-vn=50", "--no-wait")
    weights = shopmesh("route", "product").stdout

    (note,) = up().notes
    assert weights == shopmesh("route", "product").stdout
    assert note.startswith("the store differs from mesh/ in route product-vr/product-r, and is kept as it is: ")
    show, back = commands(note)
    assert re.search(r"^-.*weight: 50$", shopmesh(*show).stdout, re.MULTILINE)
    assert "updated route product-vr/product-r" in shopmesh(*back).stdout
    assert () == up().notes


def test_what_left_the_folder_is_named_with_the_commands_that_delete_it(
    client: Client, up: Load, mesh: Path, shopmesh: Run
) -> None:
    """Only what came from there; what others created by the API stays out of it."""
    add_storefront(mesh)
    up()
    client.appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName="by-hand", spec={})
    (mesh / "storefront.yaml").unlink()

    (note,) = up().notes
    assert "storefront-vn" in note
    assert "by-hand" not in note
    for arguments in commands(note):
        shopmesh(*arguments)
    assert not [name for name in names(client) if "storefront" in name]
    assert () == up().notes


def test_a_service_that_comes_again_after_its_removal_is_new(client: Client, up: Load, mesh: Path) -> None:
    """Once a run has seen it gone from both."""
    add_storefront(mesh)
    up()
    (mesh / "storefront.yaml").unlink()
    assert "the store still has" in up().notes[0]
    client.requests(
        [
            {"operation": "DeleteVirtualService", "parameters": _path("virtualServiceName", _SERVICE)},
            {
                "operation": "DeleteRoute",
                "parameters": {**_path("virtualRouterName", "storefront-vr"), "routeName": "storefront-r"},
            },
            {"operation": "DeleteVirtualRouter", "parameters": _path("virtualRouterName", "storefront-vr")},
            {"operation": "DeleteVirtualNode", "parameters": _path("virtualNodeName", "storefront-vn")},
        ]
    )
    assert () == up().notes
    add_storefront(mesh)

    assert up().notes[0].startswith("created what is new in mesh/: ")


_SERVICE = "storefront.default.svc.cluster.local"


def _path(name: str, value: str) -> dict[str, str]:
    return {"meshName": "shopmesh", name: value}


def test_a_store_of_which_nothing_is_known_is_left_as_it_is(up: Load, mesh: Path, shopmesh: Run) -> None:
    """One that an earlier version left, or `shopmesh apply` filled: what it lacks may have been deleted on purpose."""
    shopmesh("apply", "-f", str(mesh))
    add_storefront(mesh)

    found = up()
    (note,) = found.notes
    assert Key("virtualNode", ("shopmesh", "storefront-vn")) in found.missing
    assert [["apply", "-f", FILE]] == commands(note)
    assert found.missing == up().missing


def test_what_is_refused_does_not_keep_the_rest_from_running(up: Load, mesh: Path) -> None:
    """The line has the reason and the place."""
    up()
    add_storefront(mesh)
    manifest = mesh / "storefront.yaml"
    manifest.write_text(manifest.read_text().replace("weight: 100", "weight: 101"))

    found = up()
    (note,) = found.notes
    assert not found.created
    assert "could not create what is new in mesh/" in note
    assert f"{FILE}" in note
    assert Key("virtualNode", ("shopmesh", "storefront-vn")) in found.missing
    assert found == up()
    manifest.write_text(manifest.read_text().replace("weight: 101", "weight: 100"))
    assert up().notes[0].startswith("created what is new in mesh/: ")


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["mesh"], 2]', "null", "[" * 100_000])
def test_a_broken_record_is_as_none(tmp_path: Path, text: str) -> None:
    """Then nothing is created that may have been deleted."""
    folder = RunFolder.open(tmp_path / "run")
    (folder.path / "mesh-known.json").write_text(text)

    assert folder.read_known_keys() is None
    folder.close()
