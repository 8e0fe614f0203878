"""The files of the profiles `observability` and `aws`: what they name is there, under the same name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.repository import COMPOSE, SERVICES, read_yaml, virtual_nodes

FOLDER = COMPOSE / "observability"
COLLECTORS = {
    "collector.yaml": {"traces": ["otlp/jaeger"]},
    "collector.aws.yaml": {"traces": ["awsxray"], "metrics": ["awsemf"]},
}
TOOLS: dict[str, Any] = read_yaml(FOLDER / "compose.yaml")["services"]


def dashboards() -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (FOLDER / "grafana" / "dashboards").glob("*.json")}


@pytest.mark.parametrize("file", COLLECTORS)
def test_a_collector_s_pipelines_are_made_of_what_it_configures(file: str) -> None:
    """Each exporter is fed; a name that is used and not configured keeps a collector from starting."""
    config = read_yaml(FOLDER / file)
    pipelines = config["service"]["pipelines"]

    assert COLLECTORS[file] == {name: pipeline["exporters"] for name, pipeline in pipelines.items()}
    for kind in ("receivers", "processors", "exporters"):
        used = {one for pipeline in pipelines.values() for one in pipeline[kind]}
        assert used == config[kind].keys()


def test_aws_takes_region_and_credentials_from_the_environment_alone() -> None:
    """None stands in a file; those without a value are handed through."""
    environment = TOOLS["collector-aws"]["environment"]
    exporters = read_yaml(FOLDER / "collector.aws.yaml")["exporters"]

    assert [None] * 3 == [
        environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
    ]
    assert ["${env:AWS_REGION}"] * 2 == [exporters[name]["region"] for name in ("awsxray", "awsemf")]
    assert not re.findall(r"AKIA|aws_secret|role_arn", (FOLDER / "collector.aws.yaml").read_text())


def test_every_version_of_the_mesh_is_scraped() -> None:
    """Under its service, version and virtual node, at each of its sidecars."""
    found = {}
    for one in read_yaml(FOLDER / "workloads.yml") or ():
        labels = one["labels"]
        found[labels["service"], labels["virtual_node"], labels["version"]] = one["targets"]
    for service in SERVICES:
        composed = read_yaml(COMPOSE / f"{service}.yaml")["services"]
        for node, version, _ in virtual_nodes(service):
            owners = [
                name.removesuffix("-sidecar") + "-net:15090"
                for name, part in composed.items()
                if name.endswith("-sidecar") and part["environment"]["VIRTUAL_NODE"] == node
            ]
            assert owners == found.pop((service, node, version))
    assert not found


def test_dashboards_ask_data_sources_that_are_there() -> None:
    """By the same uid, each under an id and a title of its own."""
    sources = {one["uid"] for one in read_yaml(FOLDER / "grafana" / "datasources" / "datasources.yaml")["datasources"]}
    found = dashboards()
    used = {panel["datasource"]["uid"] for one in found.values() for panel in one["panels"]}

    assert {"versions", "control-plane"} == {one["uid"] for one in found.values()}
    assert {"prometheus", "jaeger"} == sources
    assert {"prometheus"} == used
    for one in found.values():
        ids = [panel["id"] for panel in one["panels"]]
        assert len(ids) == len(set(ids))


def test_images_are_pinned_and_may_come_from_a_mirror() -> None:
    """A tag with a whole version, behind a variable."""
    for name, one in TOOLS.items():
        assert re.fullmatch(r"\$\{SHOPMESH_[A-Z]+_IMAGE:-[a-z/-]+:v?\d+\.\d+\.\d+\}", one["image"]), name


def test_tools_are_published_on_loopback_and_have_no_rights() -> None:
    """Nothing of another profile's is published at all, and nobody can log in to Grafana."""
    published = [port for one in TOOLS.values() for port in one.get("ports", ())]

    assert 3 == len(published)
    assert all(port.startswith("${SHOPMESH_ADDRESS:-127.0.0.1}:") for port in published)
    assert all(one["cap_drop"] == ["ALL"] and one["read_only"] for one in TOOLS.values())
    assert "true" == TOOLS["grafana"]["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"]


@pytest.mark.parametrize("profile", ["observability", "aws"])
def test_a_profile_s_file_switches_it_and_the_sidecars_on(profile: str) -> None:
    """Compose lets its files see a variable, and not the flag --profile."""
    assert [f"COMPOSE_PROFILES={profile}", "SHOPMESH_OBSERVED=1"] == [
        line for line in (FOLDER / f"{profile}.env").read_text().splitlines() if not line.startswith("#")
    ]


def test_what_is_mounted_is_there() -> None:
    """Docker makes an empty folder of a path that is missing."""
    for one in TOOLS.values():
        for volume in one.get("volumes", ()):
            source = str(volume).partition(":")[0]
            assert not source.startswith(".") or (FOLDER / source).exists(), volume


def test_every_file_is_yaml_or_json() -> None:
    """Also those that only a tool reads."""
    files = [file for file in FOLDER.rglob("*") if file.suffix in (".yaml", ".yml", ".json")]

    assert 10 <= len(files)
    for file in files:
        said = (json.loads if file.suffix == ".json" else yaml.safe_load)(Path(file).read_text())
        assert said or file.name == "workloads.yml", file
