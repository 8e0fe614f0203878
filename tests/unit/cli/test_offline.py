"""`shopmesh apply --offline`: documents held to the model and the rules, with no control plane anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shopmesh.cli import main

MESH = Path(__file__).parents[3] / "mesh"
HEAD = "apiVersion: appmesh.k8s.aws/v1beta2\n"
ROUTER = f"""\
{HEAD}kind: VirtualRouter
metadata: {{name: r}}
spec:
  listeners:
  - portMapping: {{port: 80, protocol: http}}
  routes:
  - name: x
    httpRoute:
      match: {{prefix: /}}
      action:
        weightedTargets:
        - {{virtualNodeRef: {{name: n}}, weight: 1}}
"""


def check(*arguments: str, stdin: str | None = None, status: int = 0) -> Result:
    """Sockets are blocked here: what asks for a control plane fails."""
    result = CliRunner().invoke(main, ["apply", "--offline", *arguments], input=stdin)
    assert status == result.exit_code, result.output
    return result


@pytest.mark.demo
def test_good_documents_are_said_to_be_valid() -> None:
    """Every resource of the demo's mesh, and nothing on standard error."""
    result = check("-f", str(MESH))

    assert {"valid mesh shopmesh", "valid route product-vr/product-r"} <= set(result.stdout.splitlines())
    assert "" == result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ROUTER.replace("prefix: /", "prefix: x"),
            "line 10, spec.routes[0].httpRoute.match.prefix: 'x' must begin with /",
        ),
        (ROUTER.replace("weight: 1", "weight: 0"), "routes[0].httpRoute.action.weightedTargets: all weights are 0"),
        (ROUTER.replace("http}", "tcp}"), "spec.routes[0].httpRoute: virtual router r_default listens for tcp"),
        (ROUTER.replace("port: 80", "port: 0"), "line 6, spec.listeners[0].portMapping.port: 0 is out of range"),
        (
            f"{HEAD}kind: VirtualService\nmetadata: {{name: s}}\nspec: {{awsName: 'a b'}}\n",
            "'a b' is not a host name",
        ),
        (
            "".join(f"---\n{HEAD}kind: VirtualService\nmetadata: {{name: {n}}}\nspec: {{awsName: {a}}}\n" for n, a in
                    [("one", "shop.local"), ("two", "Shop.local")]),
            "differs from virtual service",
        ),
    ],
    ids=["a prefix", "the weights", "the protocol", "the model", "a host name", "two that differ in case"],
)  # fmt: skip
def test_what_the_rules_refuse_is_told(text: str, said: str) -> None:
    """The same validation as the API's, at the place in the document; the exit status is 1."""
    result = check("-f", "-", "--offline", stdin=f"{text}---\n{HEAD}kind: Mesh\nmetadata: {{name: m}}\n", status=1)

    assert said in result.stderr
    assert "" == result.stdout


def test_a_field_that_is_null_is_one_that_is_not_there() -> None:
    """As for the API: YAML makes a null of a field whose lines were all taken out."""
    node = f"{HEAD}kind: VirtualNode\nmetadata: {{name: n}}\nspec:\n  listeners:\n  backends:\n"
    service = f"{HEAD}kind: VirtualService\nmetadata: {{name: s}}\nspec:\n  provider:\n"
    result = check("-f", "-", stdin=f"{node}---\n{service}---\n{HEAD}kind: Mesh\nmetadata: {{name: m}}\n")

    assert "valid virtualNode n_default" in result.stdout


def test_all_mistakes_are_told_at_once() -> None:
    """One line each, up to twenty."""
    routes = [
        {"meshName": "m", "virtualRouterName": "r", "routeName": f"x{n}", "spec": {"httpRoute": 1}} for n in range(25)
    ]

    lines = check("-f", "-", stdin="\n".join(map(json.dumps, routes)), status=1).stderr.splitlines()

    assert 21 == len(lines)
    assert lines[0].startswith("error: standard input, document 1, line 1, spec.httpRoute: 1 is a number")
    assert lines[-1].endswith("more")


def test_what_only_the_mesh_can_have_is_a_note() -> None:
    """Mesh and virtual node are not among the documents; each is missed once, with its place."""
    result = check("-f", "-", stdin=ROUTER)

    assert "valid virtualRouter r_default\nvalid route r_default/x\n" == result.stdout
    notes = result.stderr.splitlines()
    assert all(line.startswith("note: standard input, document 1, line ") for line in notes)
    place = "spec.routes[0].httpRoute.action.weightedTargets[0].virtualNodeRef"
    node = [note for note in notes if place in note]
    assert ["there is no VirtualNode 'n' in namespace 'default' among these files; the mesh must have it"] == [
        note.partition(f"{place}: ")[2] for note in node
    ]
    assert "the mesh of VirtualRouter 'r' is not among these files" in result.stderr
    assert "unknown" not in result.stderr


def test_json_that_refers_to_others_is_valid_with_notes() -> None:
    """The parents and the targets of a route in the aws CLI's JSON."""
    target = {"virtualNode": "n", "weight": 1}
    spec = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}}
    route = {"meshName": "m", "virtualRouterName": "r", "routeName": "x", "spec": spec}

    said = check("-f", "-", stdin=json.dumps(route)).stderr

    for missing in ("mesh m", "virtual router r", "virtual node n"):
        assert f"there is no {missing} among these files; the mesh must have it" in said


def test_a_gateway_route_alone_has_its_gateway_noted() -> None:
    """Which gateway takes it only the cluster or the mesh can tell."""
    route = f"""\
{HEAD}kind: GatewayRoute
metadata: {{name: g}}
spec:
  httpRoute:
    match: {{prefix: /}}
    action: {{target: {{virtualService: {{virtualServiceRef: {{name: s}}}}}}}}
"""

    said = check("-f", "-", stdin=route).stderr

    assert "the gateway of GatewayRoute 'g' is not among these files" in said


@pytest.mark.parametrize("option", ["--diff", "--exit-code"])
def test_what_needs_a_mesh_to_compare_with_is_refused(option: str) -> None:
    """Offline there is nothing to compare with: a mistake of the command line."""
    assert "--offline has no mesh to compare with" in check("-f", str(MESH), option, status=2).stderr


def test_templates_are_checked_with_their_parameters() -> None:
    """A parameter's value counts, and foreign resources are skipped."""
    node = "{MeshName: m, Spec: {Listeners: [{PortMapping: {Port: !Ref P, Protocol: http}}]}}"
    text = "Parameters: {P: {Type: String}}\nResources:\n  C: {Type: AWS::ECS::Cluster}\n"
    text += f"  N: {{Type: AWS::AppMesh::VirtualNode, Properties: {node}}}\n"

    good = check("-f", "-", "--parameter", "P=80", stdin=text)
    bad = check("-f", "-", "--parameter", "P=0", stdin=text, status=1)

    assert "valid virtualNode shopmesh-N\n" == good.stdout
    assert "skipped AWS::ECS::Cluster" in good.stderr
    assert "Resources.N.Properties.Spec.Listeners[0].PortMapping.Port: 0 is out of range" in bad.stderr


@pytest.mark.demo
def test_annotations_are_checked() -> None:
    """What an annotation says is told at its line, of a route by the name it has in its router."""
    text = (MESH / "product.yaml").read_text()
    kind, rest = "kind: VirtualRouter\nmetadata:\n", "  annotations: {shopmesh.dev/product-r.rate-limit: often}\n"

    said = check("-f", str(MESH / "mesh.yaml"), "-f", "-", stdin=text.replace(kind, kind + rest), status=1).stderr

    assert "metadata.annotations.shopmesh.dev/product-r.rate-limit: 'often': it is not a rate" in said


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ('{"meshName": "m", "virtualNodeName": "n", "spec": {}, "tags": [{"key": "%s", "value": "often"}]}', "tags"),
        (
            "Resources: {N: {Type: AWS::AppMesh::VirtualNode, Properties: {MeshName: m, Spec: {},"
            " Tags: [{Key: %s, Value: often}]}}}",
            "Resources.N.Properties.Tags",
        ),
    ],
    ids=["JSON", "CloudFormation"],
)
def test_tags_of_other_documents_are_annotations_too(document: str, place: str) -> None:
    """As the aws CLI and CloudFormation have them, told at their place."""
    said = check("-f", "-", stdin=document % "shopmesh.dev/rate-limit", status=1).stderr

    assert f"{place}: shopmesh.dev/rate-limit: 'often': it is not a rate" in said


def test_a_mirror_that_the_files_do_not_have_is_noted() -> None:
    """The mesh may have it."""
    document = '{"meshName": "m", "virtualServiceName": "s.local", "spec": {}, "tags": [{"key": "%s", "value": "n"}]}'

    noted = check("-f", "-", stdin=document % "shopmesh.dev/mirror").stderr

    assert "tags: shopmesh.dev/mirror: there is no virtual node n among these files" in noted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{HEAD}kind: VirtualNode\nmetadata: {{name: n}}\nspec: {{podSelecter: {{}}}}\n",
            "did you mean 'podSelector'?",
        ),
        (f"{HEAD}kind: VirtualNode\nmetadata: {{name: n}}\nspec: {{x: 1}}\n", "known are awsName, backendDefaults"),
        (f"{HEAD}kind: Mesh\nmetadata: {{name: n}}\nspec: {{x: 1}}\n", "meshOwner, meshServiceDiscovery"),
        (ROUTER.replace("weight: 1", "weight: 1, x: 1"), "known are port, virtualNodeARN, virtualNodeRef, weight"),
    ],
    ids=["a selector", "a node", "a mesh", "a target"],
)
def test_an_unknown_field_is_compared_with_those_of_manifests(text: str, said: str) -> None:
    """With the fields that manifests alone have, and as they spell references."""
    assert said in check("-f", "-", stdin=text, status=1).stderr
