"""Every query of every dashboard, asked of a real Prometheus that scrapes a running mesh by the shipped files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.local.conftest import PROJECT, Up, starting
from tests.support.process import eventually, free_port, running

PROMETHEUS = shutil.which("prometheus")
FOLDER = PROJECT / "compose" / "observability"
# The dashboards' versions are those of the mesh.
VERSIONS = {("order", "1.0"), ("product", "1.0"), ("product", "2.0"), ("customer", "1.0"), ("customer", "1.5")}
Series = list[dict[str, Any]]

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        PROMETHEUS is None and "CI" not in os.environ, reason="there is no prometheus: apt-get install prometheus"
    ),
]


def configuration(up: Up, folder: Path) -> Path:
    """The shipped files with this machine's addresses, and scrapes every half second."""
    workloads = yaml.safe_load((FOLDER / "workloads.yml").read_text())
    admin = {
        document["node"]["cluster"]: document["admin"]["address"]["socket_address"]["port_value"]
        for document in (json.loads(file.read_text()) for file in up.run_folder.glob("*-vn-1.json"))
    }
    for one in workloads:
        one["targets"] = [f"127.0.0.1:{admin[one['labels']['virtual_node']]}"]
    (folder / "workloads.yml").write_text(yaml.safe_dump(workloads))
    (folder / "token").write_text("whatever: there is none on a laptop")
    text = (FOLDER / "prometheus.yml").read_text()
    for shipped, here in (
        ("/etc/shopmesh/workloads.yml", str(folder / "workloads.yml")),
        ("/run/shopmesh/xds/token", str(folder / "token")),
        ("control-plane:9080", f"127.0.0.1:{up.api_port}"),
        ("scrape_interval: 5s", "scrape_interval: 500ms"),
        ("scrape_timeout: 4s", "scrape_timeout: 400ms"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    (folder / "prometheus.yml").write_text(text)
    return folder / "prometheus.yml"


@contextlib.contextmanager
def calling(up: Up) -> Iterator[None]:
    """Orders one after another; some fail, as they are told to."""
    stopping = threading.Event()

    def call() -> None:
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                up.get()
            time.sleep(0.01)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port. Requests to all versions are under way, and a tenth of them fails."""
    folder = tmp_path_factory.mktemp("prometheus")
    # Whoever is told figures, here DogStatsD at a port without anybody, is told those of dashboards too.
    environ = {"ENABLE_ENVOY_DOG_STATSD": "1", "STATSD_PORT": str(free_port()), "FAULT_ERROR_SHARE": "0.1"}
    with starting(folder, env=environ) as up:
        up.wait()
        for service, canary in (("product", "product-v2-vn"), ("customer", "customer-v15-vn")):
            targets: Any = [{"virtualNode": node, "weight": 50} for node in (f"{service}-vn", canary)]
            up.client.appmesh.update_route(
                meshName="shopmesh",
                virtualRouterName=f"{service}-vr",
                routeName=f"{service}-r",
                spec={"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}},
            )
        port = free_port()
        command = [
            *(str(PROMETHEUS), f"--config.file={configuration(up, folder)}", f"--storage.tsdb.path={folder / 'data'}"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        ]
        with running(command) as child, calling(up):
            child.wait_for(lambda: len(asked(port, "up == 1")) == len(VERSIONS) + 1, "everything is scraped", 30)
            yield port


def asked(port: int, query: str) -> Series:
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: Series = json.load(answer)["data"]["result"]
        return found


def panels() -> list[tuple[str, str]]:
    """Dashboard and panel, and each of its queries, as Grafana would send it."""
    return [
        (f"{file.stem}: {panel['title']} {target['refId']}", target["expr"].replace("$__rate_interval", "5s"))
        for file in sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
    ]


@pytest.mark.parametrize(("panel", "query"), panels(), ids=lambda value: value if ": " in value else "")
def test_every_panel_has_data(prometheus: int, panel: str, query: str) -> None:
    """Numbers, of every version where it is told by version."""

    def shown() -> bool:
        found = [one for one in asked(prometheus, query) if one["value"][1] != "NaN"]
        labels = [one["metric"] for one in found]
        by_version = "by (service, version)" in query or "by (le, service, version)" in query
        return bool(found) and (not by_version or VERSIONS == {(one["service"], one["version"]) for one in labels})

    eventually(shown, f"{panel}: {query}", 30, every=0.2)


def test_target_and_seen_share_can_be_laid_over_each_other(prometheus: int) -> None:
    """Both name a version alike, and lie near each other."""
    query = 'shopmesh_seen_share{virtual_node="product-v2-vn"} - shopmesh_target_share'
    eventually(lambda: [one for one in asked(prometheus, query) if abs(float(one["value"][1])) < 0.2], query, 30)
