"""`shopmesh apply`, `get`, `describe` and `delete` against the real API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from shopmesh.client import Client
from shopmesh.local.mesh.from_manifests import read_manifests, workloads_of
from tests.contract.cli.conftest import ControlPlane, Run

MESH = Path(__file__).parents[3] / "mesh"

OTHER = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: other}
spec: {awsName: other-vn}
"""


def objects(text: str) -> dict[tuple[str, str], object]:
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(text)}


def committed() -> dict[tuple[str, str], object]:
    return {name: o for file in MESH.glob("*.yaml") for name, o in objects(file.read_text()).items()}


def test_the_committed_mesh_comes_back_as_it_was_applied(shopmesh: Run) -> None:
    """Apply a folder, read it as manifests: the same objects, with names, selectors and references."""
    shopmesh("apply", "-f", str(MESH))

    assert committed() == objects(shopmesh("get", "-o", "yaml").stdout)


def test_a_new_mesh_is_applied_once(shopmesh: Run) -> None:
    """With --new what is there is left as it is, whatever the files say."""
    shopmesh("apply", "--new", "-f", str(MESH))
    shopmesh("route", "product", "product-v2-vn=50")
    weights = shopmesh("route", "product").stdout

    assert "exists already" in shopmesh("apply", "--new", "-f", str(MESH)).stdout
    assert weights == shopmesh("route", "product").stdout


def test_applying_twice_touches_nothing(shopmesh: Run, control_plane: ControlPlane) -> None:
    """What is so already is said to be unchanged, and no request is sent for it."""
    first = shopmesh("apply", "-f", str(MESH)).stdout
    writes = control_plane.writes

    second = shopmesh("apply", "-f", str(MESH)).stdout

    assert "created virtualNode product-vn" in first.splitlines()
    assert first.replace("created", "unchanged") == second
    assert writes == control_plane.writes


def test_one_file_may_refer_to_what_is_in_the_mesh_already(shopmesh: Run, tmp_path: Path) -> None:
    """order.yaml names services of other files; applied alone it finds them in the mesh by their object names."""
    shopmesh("apply", "-f", str(MESH))
    changed = (MESH / "order.yaml").read_text().replace("port: 5000", "port: 5001")
    (tmp_path / "order.yaml").write_text(changed)

    said = shopmesh("apply", "-f", str(tmp_path / "order.yaml")).stdout.splitlines()

    assert [
        "updated virtualNode order-vn",
        "updated virtualRouter order-vr",
        "unchanged route order-vr/order-r",
    ] == said[:3]


def test_a_dry_run_says_what_would_happen_and_does_nothing(shopmesh: Run, control_plane: ControlPlane) -> None:
    """The control plane checks all of it, and the store stays as it was."""
    said = shopmesh("apply", "-f", str(MESH), "--dry-run").stdout

    assert "would create virtualNode product-vn" in said.splitlines()
    assert 0 == control_plane.writes


def test_a_file_that_is_wrong_anywhere_changes_nothing(shopmesh: Run, control_plane: ControlPlane) -> None:
    """All or nothing: a dangling reference in the last document keeps the first ones out too."""
    text = (
        (MESH / "mesh.yaml").read_text()
        + "---"
        + OTHER
        + "---\n"
        + json.dumps(
            {
                "meshName": "shopmesh",
                "virtualServiceName": "a.b",
                "spec": {"provider": {"virtualNode": {"virtualNodeName": "missing-vn"}}},
            }
        )
    )

    said = shopmesh("apply", "-f", "-", stdin=text, status=1).stderr

    assert "standard input, document 3, line" in said
    assert "spec.provider.virtualNode.virtualNodeName: virtual node missing-vn does not exist in mesh shopmesh" in said
    assert 0 == control_plane.writes


def test_routes_that_a_routers_manifest_no_longer_has_are_deleted(shopmesh: Run) -> None:
    """A router's manifest says all of its routes, as in Kubernetes."""
    shopmesh("apply", "-f", str(MESH))
    text = (MESH / "product.yaml").read_text()

    said = shopmesh("apply", "-f", "-", stdin=text.replace("name: product-r\n", "name: everything\n")).stdout

    assert ["deleted route product-vr/product-r", "created route product-vr/everything"] == [
        line for line in said.splitlines() if not line.startswith("unchanged")
    ]


def test_tags_of_others_survive_an_apply(shopmesh: Run, client: Client) -> None:
    """What somebody tagged by hand stays; what a manifest no longer says goes."""
    shopmesh("apply", "-f", str(MESH))
    node = client.appmesh.describe_virtual_node(meshName="shopmesh", virtualNodeName="product-vn")["virtualNode"]
    arn = node["metadata"]["arn"]
    client.appmesh.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "shop"}])
    manifest = yaml.safe_load((MESH / "product.yaml").read_text().split("---")[0])
    del manifest["spec"]["podSelector"], manifest["metadata"]["annotations"]

    said = shopmesh("apply", "-f", "-", stdin=yaml.safe_dump(manifest)).stdout

    tags = client.appmesh.list_tags_for_resource(resourceArn=arn)["tags"]
    assert "updated virtualNode product-vn\n" == said
    assert [("appmesh.k8s.aws/name", '"product"'), ("team", "shop")] == [(t["key"], t["value"]) for t in tags]


def test_foreign_kinds_are_skipped_and_said(shopmesh: Run) -> None:
    """A file may hold Deployments and Services beside the mesh's own documents."""
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: product}\n---\n"

    result = shopmesh("apply", "-f", "-", stdin=deployment + (MESH / "mesh.yaml").read_text())

    assert "created mesh shopmesh\n" == result.stdout
    assert "skipped Deployment (standard input, document 1, line 1): not an App Mesh resource\n" == result.stderr


def test_cli_json_is_applied_and_printed(shopmesh: Run, tmp_path: Path) -> None:
    """The documents of `aws appmesh … --cli-input-json` are taken as they are, and -o json answers as the API does."""
    (tmp_path / "1.json").write_text(json.dumps({"meshName": "shopmesh"}))
    node = {"meshName": "shopmesh", "virtualNodeName": "a-vn", "spec": {"listeners": []}}
    (tmp_path / "2.json").write_text(json.dumps(node, indent="\t"))

    shopmesh("apply", "-f", str(tmp_path))
    answer = json.loads(shopmesh("get", "vn", "a-vn", "-o", "json").stdout)

    assert ("a-vn", 1) == (answer["virtualNodeName"], answer["metadata"]["version"])


@pytest.mark.parametrize("arguments", [["virtualnode"], ["VirtualNodes"], ["vn"], ["virtual-node"]])
def test_kinds_may_be_spelled_as_people_do(shopmesh: Run, arguments: list[str]) -> None:
    """Singular, plural, short, with capitals or dashes."""
    shopmesh("apply", "-f", str(MESH))

    lines = shopmesh("get", *arguments).stdout.splitlines()

    assert ["KIND", "NAME", "SUMMARY"] == lines[0].split()[:3]
    assert sorted(workload.node for workload in workloads_of(read_manifests(MESH))) == [
        line.split()[1] for line in lines[1:]
    ]


def test_describe_shows_what_uses_a_resource(shopmesh: Run) -> None:
    """A virtual node is used by the routes that send to it."""
    shopmesh("apply", "-f", str(MESH))

    said = yaml.safe_load(shopmesh("describe", "node", "product-v2-vn").stdout)

    assert ["route product-vr/product-r"] == said["usedBy"]


def test_deleting_by_manifest_takes_everything_in_the_right_order(shopmesh: Run) -> None:
    """What apply made, delete -f unmakes; a second time all of it is absent."""
    shopmesh("apply", "-f", str(MESH))

    first = shopmesh("delete", "-f", str(MESH)).stdout.splitlines()
    second = shopmesh("delete", "-f", str(MESH)).stdout.splitlines()

    assert "deleted mesh shopmesh" == first[-1]
    assert {line.replace("deleted", "absent") for line in first} == set(second)


def test_what_is_in_use_is_not_deleted(shopmesh: Run, control_plane: ControlPlane) -> None:
    """The refusal names the resource, and nothing is deleted."""
    shopmesh("apply", "-f", str(MESH))
    writes = control_plane.writes

    said = shopmesh("delete", "virtualnode", "product-vn", status=1).stderr

    assert said.startswith("error: virtualNode product-vn: ")
    assert "ResourceInUseException" in said
    assert writes == control_plane.writes


def test_a_router_takes_its_routes_along(shopmesh: Run) -> None:
    """Router and routes are one object to whoever writes manifests."""
    shopmesh("apply", "-f", str(MESH))
    shopmesh("delete", "virtualservice", "product")

    said = shopmesh("delete", "virtualrouter", "product-vr").stdout

    assert "deleted route product-vr/product-r\ndeleted virtualRouter product-vr\n" == said


def test_of_several_meshes_one_has_to_be_named(shopmesh: Run) -> None:
    """Reading without --mesh is refused with their names; with it, only that one is read."""
    for mesh in ("a", "b"):
        shopmesh("apply", "-f", "-", stdin=json.dumps({"meshName": mesh}))

    refused = shopmesh("get", status=1).stderr
    shown = shopmesh("--mesh", "b", "get").stdout
    unknown = shopmesh("--mesh", "c", "get", status=1).stderr

    assert "error: several meshes (a, b): choose one with --mesh\n" == refused
    assert ["mesh", "b"] == shown.splitlines()[1].split()[:2]
    assert "error: no mesh 'c' (there: a, b); correct --mesh\n" == unknown
