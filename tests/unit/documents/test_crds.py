"""The CustomResourceDefinitions: what applies, and what is refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import celpy
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from shopmesh.appmesh.store import Document, Key
from shopmesh.documents import DeclaredResource, as_yaml, manifests
from shopmesh.documents.crds import definitions
from tests.support.crds import complaints
from tests.support.meshes import meshes

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "k8s/base/crds/definitions.yaml"


@pytest.fixture(autouse=True, scope="module")
def _recursion() -> None:
    """The first rule raises Python's recursion limit, which must not happen within a property: Hypothesis warns."""
    celpy.Environment()


def of(kind: str, text: str) -> dict[str, Any]:
    """A manifest with this specification in flow style."""
    head = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": {"name": "x", "namespace": "default"}}
    return {**head, "spec": yaml.safe_load(text)}


def test_what_is_committed_is_what_the_model_makes() -> None:
    """`make crds` writes the file anew."""
    assert COMMITTED.read_text() == as_yaml(definitions())


@pytest.mark.parametrize("definition", definitions(), ids=lambda one: str(one["spec"]["names"]["kind"]))
def test_kubectl_explains_each_kind_and_its_fields(definition: dict[str, Any]) -> None:
    """A sentence for the kind and for each field of its specification that is not a name or a reference."""
    (version,) = definition["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    spec = schema["properties"]["spec"]
    bare = [name for name, field in spec["properties"].items() if "description" not in field]

    assert schema["description"].endswith(".")
    assert spec["description"]
    assert {*bare} <= {"grpcRoute", "httpRoute", "http2Route", "meshServiceDiscovery"}


def test_a_field_that_means_something_else_elsewhere_says_so() -> None:
    """Of one name are the match of a route and that of a certificate's names, and selectors of meshes and gateways."""
    schemas = {
        one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for one in definitions()
    }
    conditions = schemas["Mesh"]["status"]["properties"]["conditions"]["items"]["properties"]
    policy = schemas["VirtualNode"]["spec"]["properties"]["backendDefaults"]["properties"]["clientPolicy"]["properties"]
    names = policy["tls"]["properties"]["validation"]["properties"]["subjectAlternativeNames"]["properties"]
    selectors = [schemas[kind]["spec"]["properties"]["namespaceSelector"] for kind in ("Mesh", "VirtualGateway")]

    assert "whether the condition holds" == conditions["status"]["description"]
    assert "certificate" in names["match"]["description"]
    assert "GatewayRoutes" in selectors[1]["description"] != selectors[0]["description"]


@pytest.mark.parametrize("file", sorted((ROOT / "mesh").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_demos_manifests_apply(file: Path) -> None:
    """Every object in mesh/ is valid."""
    assert [] == [wrong for one in yaml.safe_load_all(file.read_text()) for wrong in complaints(one)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(meshes())
def test_whatever_the_api_accepts_applies_as_a_manifest(mesh: list[tuple[Key, Document]]) -> None:
    """Any mesh of the API, exported, is accepted by the definitions: they are no narrower than the model."""
    exported = manifests([DeclaredResource(key, spec, {}) for key, spec in mesh])

    assert [] == [wrong for one in exported for wrong in complaints(one)]


TARGET = "weightedTargets: [{virtualNodeRef: {name: a}, weight: 1}]"


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        ("VirtualNode", "{listeners: [{portMapping: {port: 0, protocol: http}}]}", "0 is less than the minimum of 1"),
        ("VirtualNode", "{listeners: [{portMapping: {port: 80, protocol: udp}}]}", "'udp' is not one of"),
        ("VirtualNode", "{serviceDiscovery: {dns: {hostname: a}, awsCloudMap: {}}}", "dns or awsCloudMap, not both"),
        ("VirtualNode", "{listeners: [{portMapping: {port: 80, protocol: http}}]}", "needs serviceDiscovery"),
        ("VirtualNode", "{backends: [{virtualService: {}}]}", "at least one of virtualServiceARN, virtualServiceRef"),
        ("VirtualNode", "{listenrs: []}", "unknown field listenrs"),
        ("VirtualRouter", "{routes: [{name: r}]}", "exactly one of grpcRoute, http2Route, httpRoute and tcpRoute"),
        (
            "VirtualRouter",
            f"{{routes: [{{name: r, httpRoute: {{match: {{prefix: x}}, action: {{{TARGET}}}}}}}]}}",
            "a prefix begins with /",
        ),
        (
            "VirtualRouter",
            f"{{routes: [{{name: r, httpRoute: {{match: {{}}, action: {{{TARGET}}}}}}}]}}",
            "exactly one of path, prefix",
        ),
        (
            "VirtualRouter",
            "{routes: [{name: r, tcpRoute: {action: {weightedTargets: ["
            "{virtualNodeRef: {name: a}, weight: 60}, {virtualNodeRef: {name: b}, weight: 60}]}}}]}",
            "over 100 in total",
        ),
        ("VirtualRouter", "{routes: [{tcpRoute: {action: {weightedTargets: []}}}]}", "'name' is a required property"),
        ("VirtualGateway", "{listeners: [{portMapping: {port: 1, protocol: tcp}}]}", "'tcp' is not one of"),
        (
            "GatewayRoute",
            "{httpRoute: {match: {prefix: /, path: {exact: /a}}, action: {target: {virtualService: "
            "{virtualServiceRef: {name: a}}}}}}",
            "prefix or path, not both",
        ),
        (
            "GatewayRoute",
            "{httpRoute: {match: {prefix: /}, action: {rewrite: {}, target: {virtualService: "
            "{virtualServiceRef: {name: a}}}}}}",
            "at least one of hostname, path and prefix",
        ),
        ("Mesh", "{egressFilter: {type: DROP_SOME}}", "'DROP_SOME' is not one of"),
    ],
)
def test_nonsense_is_refused_with_a_reason(kind: str, spec: str, told: str) -> None:
    """`kubectl apply` says what is wrong where, before the object exists."""
    found = complaints(of(kind, spec))

    assert any(told in one for one in found), found


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("{awsName: b}", ["VirtualNode.spec: awsName cannot be changed"]),
        ("{}", ["VirtualNode.spec: awsName cannot be taken"]),
    ],
)
def test_the_name_in_the_mesh_stays(after: str, told: list[str]) -> None:
    """A changed awsName would leave the old resource behind."""
    found = complaints(of("VirtualNode", after), before=of("VirtualNode", "{awsName: a}"))

    assert told == [one[: len(told[0])] for one in found]
    assert [] == complaints(of("VirtualNode", "{awsName: a}"), before=of("VirtualNode", "{awsName: a}"))
