"""The demo's mesh observed, by a real Prometheus with the shipped files, and by a real OTLP receiver."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.e2e.local.conftest import PROJECT, Up, starting
from tests.support.bridges import bridge
from tests.support.collectors import Received, http_collector
from tests.support.process import eventually, free_port, running
from tests.support.spans import spans, ways

PROMETHEUS = shutil.which("prometheus")
FOLDER = PROJECT / "compose" / "observability"
# The dashboards' versions are those of the mesh.
VERSIONS = {("order", "1.0"), ("product", "1.0"), ("product", "2.0"), ("customer", "1.0"), ("customer", "1.5")}
Series = list[dict[str, Any]]

pytestmark = pytest.mark.timeout(120)


def configuration(up: Up, folder: Path, bridged: Callable[[Path], int]) -> Path:
    """The shipped files with this machine's addresses, and scrapes every half second.

    Prometheus cannot scrape a Unix socket: `bridged` gives a port that leads to one, as in a container.
    """
    workloads = yaml.safe_load((FOLDER / "workloads.yml").read_text())
    for one in workloads:
        admin = bridged(up.run_folder / f"{one['labels']['virtual_node']}-1.admin.sock")
        one["targets"] = [f"127.0.0.1:{admin}"]
    (folder / "workloads.yml").write_text(yaml.safe_dump(workloads))
    text = (FOLDER / "prometheus.yml").read_text()
    for shipped, here in (
        ("/etc/shopmesh/workloads.yml", str(folder / "workloads.yml")),
        ("/run/shopmesh/xds/token", str(up.run_folder / "metrics-token")),
        ("control-plane:9080", f"127.0.0.1:{up.api_port}"),
        ("/etc/shopmesh/alerts.yml", str(FOLDER / "alerts.yml")),
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


class Observed(NamedTuple):
    """A mesh with requests to all versions under way, of which a tenth fails, and who is told its spans."""

    up: Up
    collector: Received


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with http_collector() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            # Whoever is told figures, here DogStatsD at a port without anybody, is told those of dashboards too.
            "ENABLE_ENVOY_DOG_STATSD": "1",
            "STATSD_PORT": str(free_port()),
            "FAULT_ERROR_SHARE": "0.1",
        }
        with starting(tmp_path_factory.mktemp("observed"), env=environ) as up:
            up.wait()
            for service, canary in (("product", "product-v2-vn"), ("customer", "customer-v15-vn")):
                targets: Any = [{"virtualNode": node, "weight": 50} for node in (f"{service}-vn", canary)]
                up.client.appmesh.update_route(
                    meshName="shopmesh",
                    virtualRouterName=f"{service}-vr",
                    routeName=f"{service}-r",
                    spec={"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}},
                )
            with calling(up):
                yield Observed(up, collector)


@pytest.fixture(scope="module")
def prometheus(observed: Observed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port, once it has scraped everything."""
    if PROMETHEUS is None and "CI" not in os.environ:
        pytest.skip("there is no prometheus: apt-get install prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    with contextlib.ExitStack() as stack:
        file = configuration(observed.up, folder, lambda socket: stack.enter_context(bridge(socket)))
        command = [
            *(str(PROMETHEUS), f"--config.file={file}"),
            *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        ]
        child = stack.enter_context(running(command))
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


@pytest.mark.parametrize("product", ["1.0", "2.0"])
def test_one_trace_shows_order_the_hops_and_the_version_that_answered(observed: Observed, product: str) -> None:
    """With DROP_ALL: the way in, order, its sidecar going out, the peer's sidecar, the peer, each with a version."""
    mesh = observed.up.client.appmesh.describe_mesh(meshName="shopmesh")["mesh"]
    sidecar = {"1.0": "product-vn", "2.0": "product-v2-vn"}[product]
    way = (
        *("order-vn/1.0", "order/1.0", "order/1.0"),
        *("order-vn/1.0", f"{sidecar}/{product}", f"product/{product}"),
    )

    assert {"type": "DROP_ALL"} == mesh["spec"]["egressFilter"]
    eventually(
        lambda: way in ways([*spans(body for _, body in [*observed.collector.bodies])]),
        "the whole way to the version",
        30,
        every=0.5,
    )
