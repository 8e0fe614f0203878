"""`shopmesh apply --diff`, `--exit-code` and templates, against the real API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shopmesh.cli import main
from shopmesh.client import Client
from tests.contract.cli.conftest import ControlPlane, Run

MESH = Path(__file__).parents[3] / "mesh"

TEMPLATE = """\
Parameters:
  Mesh: {Type: String, Default: shopmesh}
  Weight: {Type: Number, Default: 25}
Resources:
  Canary:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: !Ref Mesh
      VirtualRouterName: product-vr
      RouteName: product-r
      Spec:
        HttpRoute:
          Match: {Prefix: /}
          Action:
            WeightedTargets:
              - {VirtualNode: product-vn, Weight: 75}
              - {VirtualNode: product-v2-vn, Weight: !Ref Weight}
  Cluster: {Type: AWS::ECS::Cluster}
"""


def test_a_change_is_shown_as_a_diff_of_the_manifest(shopmesh: Run) -> None:
    """A route's weight is a line less and a line more in its router's manifest, and nothing else is shown."""
    shopmesh("apply", "-f", str(MESH))
    text = (MESH / "product.yaml").read_text()
    assert "weight: 100" in text

    said = shopmesh("apply", "-f", "-", "--diff", "--dry-run", stdin=text.replace("weight: 100", "weight: 90")).stdout

    lines = [line for line in said.splitlines() if line[:1] in "-+"]
    assert ["--- mesh/VirtualRouter/default/product", "+++ files/VirtualRouter/default/product"] == lines[:2]
    assert ["-          weight: 100", "+          weight: 90"] == lines[2:]
    assert "would update route product-vr/product-r" in said.splitlines()


def test_created_and_deleted_objects_are_shown_whole(shopmesh: Run) -> None:
    """What comes has nothing on its other side; a deleted route leaves its router's manifest."""
    created = shopmesh("apply", "-f", str(MESH), "--diff").stdout.splitlines()
    text = (MESH / "product.yaml").read_text().replace("name: product-r\n", "name: everything\n")
    renamed = shopmesh("apply", "-f", "-", "--diff", stdin=text).stdout.splitlines()

    assert created[created.index("+++ files/Mesh/shopmesh") - 1] == "--- /dev/null"
    assert {"-  - name: product-r", "+  - name: everything"} <= set(renamed)


def test_what_is_so_already_has_no_diff(shopmesh: Run) -> None:
    """Applied again, only the unchanged resources are listed."""
    shopmesh("apply", "-f", str(MESH))

    said = shopmesh("apply", "-f", str(MESH), "--diff").stdout.splitlines()

    assert {"unchanged"} == {line.split()[0] for line in said}


def test_tags_that_manifests_have_no_place_for_are_shown_too(shopmesh: Run) -> None:
    """JSON may bring any tags; those of others stay and are not shown."""
    document = {"meshName": "m", "tags": [{"key": "team", "value": "shop"}]}
    shopmesh("apply", "-f", "-", stdin=json.dumps(document))
    document["tags"] = [{"key": "tier", "value": "1"}]

    said = shopmesh("apply", "-f", "-", "--diff", stdin=json.dumps(document)).stdout.splitlines()

    assert ["--- mesh/tags of mesh m", "+++ files/tags of mesh m"] == said[:2]
    assert [" team: shop", "+tier: '1'", "updated mesh m"] == said[3:]


def test_an_empty_list_is_as_good_as_none(shopmesh: Run) -> None:
    """Where only a tag changes, a list that is written empty is no difference."""
    node = {"meshName": "m", "virtualNodeName": "n", "spec": {}}
    shopmesh("apply", "-f", "-", stdin=json.dumps({"meshName": "m"}) + json.dumps(node))
    changed = {**node, "spec": {"backends": []}, "tags": [{"key": "shopmesh.dev/rate-limit", "value": "1/s"}]}

    said = shopmesh("apply", "-f", "-", "--diff", stdin=json.dumps(changed)).stdout

    assert "backends" not in said
    assert "+    shopmesh.dev/rate-limit: 1/s" in said.splitlines()


def test_colours_are_for_terminals(control_plane: ControlPlane) -> None:
    """A pipe gets plain text; a terminal gets red and green."""
    arguments = ["--endpoint-url", control_plane.url, "apply", "-f", str(MESH), "--diff", "--dry-run"]

    piped = CliRunner().invoke(main, arguments).stdout
    coloured = CliRunner(env={"NO_COLOR": ""}).invoke(main, arguments, color=True).stdout

    assert "\x1b" not in piped
    assert "\x1b[32m+kind: Mesh" in coloured


@pytest.mark.parametrize("dry_run", [["--dry-run"], []], ids=["dry run", "for good"])
def test_a_script_can_tell_whether_something_changes(shopmesh: Run, dry_run: list[str]) -> None:
    """With --exit-code: 3 when there is something to change, 0 when all of it is so already, 1 when it is refused."""
    shopmesh("apply", "-f", str(MESH), "--exit-code", *dry_run, status=3)
    shopmesh("apply", "-f", str(MESH))
    shopmesh("apply", "-f", str(MESH), "--exit-code", *dry_run, status=0)
    shopmesh("apply", "-f", "-", "--exit-code", *dry_run, stdin="a: 1", status=1)


def test_a_template_is_applied_with_its_parameters(shopmesh: Run, client: Client, tmp_path: Path) -> None:
    """The route of a CloudFormation template shifts the weights; its cluster is skipped, and said."""
    shopmesh("apply", "-f", str(MESH))
    (tmp_path / "canary.yaml").write_text(TEMPLATE)

    result = shopmesh("apply", "-f", str(tmp_path), "--parameter", "Weight=10")

    route = client.appmesh.describe_route(meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r")
    targets = route["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    assert [("product-vn", 75), ("product-v2-vn", 10)] == [(t["virtualNode"], t["weight"]) for t in targets]
    assert "updated route product-vr/product-r\n" == result.stdout
    assert "skipped AWS::ECS::Cluster" in result.stderr


def test_a_template_is_deleted_by_what_it_declares(shopmesh: Run) -> None:
    """delete -f takes the same parameters."""
    shopmesh("apply", "-f", str(MESH))

    said = shopmesh("delete", "-f", "-", "--parameter", "Mesh=shopmesh", stdin=TEMPLATE).stdout

    assert "deleted route product-vr/product-r\n" == said


def test_what_the_api_refuses_is_told_at_the_templates_property(shopmesh: Run) -> None:
    """A dangling reference is found by the control plane and placed by the template's words and line."""
    shopmesh("apply", "-f", str(MESH))
    text = TEMPLATE.replace("VirtualNode: product-vn", "VirtualNode: gone-vn")

    said = shopmesh("apply", "-f", "-", stdin=text, status=1).stderr

    place = "line 16, Resources.Canary.Properties.Spec.HttpRoute.Action.WeightedTargets[0].VirtualNode"
    assert f"standard input, document 1, {place}: virtual node gone-vn does not exist" in said


@pytest.mark.parametrize("parameter", ["Weight", "=1", ""])
def test_a_parameter_needs_a_name_and_a_value(shopmesh: Run, parameter: str) -> None:
    """What is not NAME=VALUE is a mistake of the command line."""
    said = shopmesh("apply", "-f", "-", "--parameter", parameter, stdin=TEMPLATE, status=2).stderr

    assert "is not of the form NAME=VALUE" in said


def test_a_parameter_is_given_once(shopmesh: Run) -> None:
    """Two values for one name are a mistake of the command line."""
    said = shopmesh("apply", "-f", "-", "--parameter", "A=1", "--parameter", "A=2", stdin=TEMPLATE, status=2).stderr

    assert "'A' is given twice" in said
