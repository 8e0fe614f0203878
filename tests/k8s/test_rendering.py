"""Every overlay and every combination of components renders, and Kubernetes would take what comes out."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shopmesh.cli.operator.serve import serve
from shopmesh.documents import documents
from shopmesh.documents.gateway_api import gateway_api
from shopmesh.local.mesh.from_manifests import read_manifests
from tests.k8s.rendering import COMBINATIONS, K8S, OVERLAYS, ROOT, Object, combination, name_of, objects, overlay
from tests.support.crds import complaints
from tests.support.gateway_api import problems

VERSIONS = ("1.30", "1.36", "1.37")
EXAMPLES = sorted(folder.name for folder in (K8S / "examples").iterdir() if folder.is_dir())
FOREIGN = ("gateway.networking.k8s.io/", "flagger.app/", "argoproj.io/")


@functools.cache
def mistakes(document: str, version: str) -> str:
    """What the published schema of that version, with nothing beyond it allowed, has against an object."""
    try:
        kubernetes_validate.validate(json.loads(document), version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(getattr(error, "message", error))
    return ""


def wrong(found: list[Object], version: str) -> list[str]:
    told = []
    for one in found:
        if one["apiVersion"].startswith("appmesh.k8s.aws/"):
            told += complaints(one)
        elif not one["apiVersion"].startswith(FOREIGN):
            message = mistakes(json.dumps(one, sort_keys=True), version)
            told += [f"{name_of(one)}: {message}"] if message else []
    return told


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_fulfils_the_schemas(name: str, version: str) -> None:
    """Of the oldest Kubernetes that is supported to the newest; no field is unknown to any."""
    assert [] == wrong(overlay(name), version)


@pytest.mark.parametrize("components", COMBINATIONS, ids=lambda names: "+".join(names) or "none")
def test_components_combine(tmp_path: Path, components: tuple[str, ...]) -> None:
    """Each alone and with others; whoever writes an overlay may choose."""
    found = combination(tmp_path, components)

    assert [] == wrong(found, VERSIONS[0])
    assert len(found) == len({name_of(one) for one in found})


@pytest.mark.parametrize(
    "components", [names for names in COMBINATIONS if "registry" in names], ids=lambda names: "+".join(names)
)
def test_the_registry_is_before_all_images_of_ours_and_no_others(tmp_path: Path, components: tuple[str, ...]) -> None:
    """As its one file names it; the file itself is not sent to the cluster."""
    registry = yaml.safe_load((K8S / "components" / "registry" / "registry.yaml").read_text())["data"]["registry"]
    found = combination(tmp_path, components)
    images = set(re.findall(r"'image': '([^']+)'", str(found)))
    ours = {image for image in images if "shopmesh/" in image}

    assert ours
    assert ours == {image for image in images if image.startswith(f"{registry}/")}
    assert "ConfigMap default/registry" not in {name_of(one) for one in found}


@pytest.mark.demo
def test_the_way_in_of_eks_is_behind_its_load_balancer() -> None:
    """The Service that has the label, and the pods behind it; no other waits for a balancer."""
    found = overlay("eks")
    balanced = [one["metadata"]["name"] for one in found if "aws-load-balancer-type" in str(one)]
    patient = [
        one["metadata"]["name"]
        for one in found
        if one["kind"] == "Deployment" and one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 110
    ]

    assert (["order"], ["order"]) == (balanced, patient)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_fulfils_the_schemas_that_are_known(example: str) -> None:
    """Ours and Kubernetes'; a custom resource of another tool names objects that are there, or that it makes."""
    found = objects(K8S / "examples" / example)
    (theirs,) = [one for one in found if one["apiVersion"].startswith(FOREIGN)]
    there = {(one["kind"], one["metadata"]["name"]) for one in found}

    assert [] == wrong(found, VERSIONS[-1])
    if theirs["kind"] == "Canary":
        assert (theirs["spec"]["targetRef"]["kind"], theirs["spec"]["targetRef"]["name"]) in there
    else:
        canary = theirs["spec"]["strategy"]["canary"]
        routing = canary["trafficRouting"]["appMesh"]
        named = {("Service", canary["stableService"]), ("Service", canary["canaryService"])}
        named |= {("VirtualNode", one["name"]) for one in routing["virtualNodeGroup"].values()}
        assert named | {("VirtualService", routing["virtualService"]["name"])} <= there


@pytest.mark.demo
def test_the_schemas_are_strict() -> None:
    """A misspelled field is found, so that the tests above mean something."""
    (deployment,) = [one for one in overlay("local") if name_of(one) == "Deployment default/order"]
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSecond"] = 1

    assert "terminationGracePeriodSecond" in wrong([deployment], VERSIONS[-1])[0]


def test_the_mesh_is_given_as_its_files_are() -> None:
    """One ConfigMap of the same files that a laptop and Compose read: all of them, and no other."""
    (given,) = [one for one in overlay("local") if one["metadata"]["name"] == "shopmesh-mesh"]

    assert {file.name: file.read_text() for file in (ROOT / "mesh").glob("*.yaml")} == given["data"]
    for name, text in given["data"].items():
        for source in documents(text, name):
            assert [] == complaints(source.value)


@pytest.mark.demo
def test_the_gateway_api_s_overlay_is_what_the_export_writes() -> None:
    """Routes by `shopmesh export`, Deployments and Services by the base, and nothing of ours besides."""
    folder = K8S / "overlays" / "gateway-api"
    found = overlay("gateway-api")
    written = gateway_api(read_manifests(ROOT / "mesh"), "istio").text()

    assert written == (folder / "routes.yaml").read_text(), (
        f"write it anew: shopmesh export --format gateway-api > {folder.relative_to(ROOT)}/routes.yaml"
    )
    assert {"Deployment", "Service", "PodDisruptionBudget", "HTTPRoute"} == {one["kind"] for one in found}
    assert [] == [one for route in found if route["kind"] == "HTTPRoute" for one in problems(route)]
    assert [] == [one for one in found if one["kind"] == "Deployment" and "initContainers" in str(one)]


@pytest.mark.demo
def test_the_gateway_api_s_routes_lead_to_services_that_are_there() -> None:
    """By name and port: a route to a port that a Service does not have answers 500."""
    found = overlay("gateway-api")
    there = {
        (one["metadata"]["name"], port["port"])
        for one in found
        if one["kind"] == "Service"
        for port in one["spec"]["ports"]
    }
    named: set[tuple[Any, Any]] = set()
    for route in [one for one in found if one["kind"] == "HTTPRoute"]:
        named |= {(parent["name"], parent["port"]) for parent in route["spec"]["parentRefs"]}
        named |= {(to["name"], to["port"]) for rule in route["spec"]["rules"] for to in rule["backendRefs"]}

    assert named
    assert named <= there


@pytest.mark.parametrize("file", sorted(K8S.rglob("*.yaml")), ids=lambda file: str(file.relative_to(K8S)))
def test_every_file_is_in_use(file: Path) -> None:
    """A file that no kustomization names would rot."""
    if file.name == "kustomization.yaml" or K8S / "eks" in file.parents:
        return
    listed = yaml.safe_load((file.parent / "kustomization.yaml").read_text())
    named = str({key: listed.get(key) for key in ("resources", "patches", "configMapGenerator")})

    assert f"'{file.name}'" in named


def test_the_crds_can_be_applied_by_any_client() -> None:
    """Client-side apply keeps a copy in an annotation, of at most 256 KiB."""
    assert all(len(json.dumps(one)) < 256 << 10 for one in objects(K8S / "base" / "crds"))


def test_the_control_plane_is_started_as_its_command_line_takes_it() -> None:
    """Every argument of the Deployment is an option of `shopmesh serve`."""
    (deployment,) = [one for one in overlay("local") if name_of(one) == "Deployment shopmesh-system/control-plane"]
    command, *arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    options = {name for one in serve.params for name in one.opts}

    assert "serve" == command
    assert {argument.partition("=")[0] for argument in arguments} <= options
