"""What real Envoys count, as Prometheus and DogStatsD are told it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from shopmesh.server.traffic.splits import splits
from shopmesh.xds.bootstrap import Options
from tests.e2e.xds.running import Mesh, Sidecar, Upstream, get
from tests.support.collectors import datagrams
from tests.support.process import eventually, free_port
from tests.support.shop import PRODUCT, image_options, shop
from tests.unit.xds import meshes

ORDER = {"Mesh": "shop", "VirtualNode": "order"}
TO_PRODUCT = {**ORDER, "TargetVirtualService": "product.local", "TargetVirtualNode": "product"}
AS_OTHER = {**TO_PRODUCT, "TargetVirtualService": "other.local"}


def scraped(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series of Prometheus's page, by its name and labels."""
    status, page = get(port, "/stats/prometheus")
    assert status == 200
    found = {}
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", page, re.MULTILINE):
        found[name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels))] = float(value)
    return found


def value(port: int, name: str, **labels: str) -> float:
    return scraped(port).get((name, frozenset(labels.items())), 0.0)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def scraping(port: int) -> Options:
    """With stats tags, the metrics extension, and a port for Prometheus."""
    environ = {"ENABLE_ENVOY_STATS_TAGS": "1", "APPMESH_METRIC_EXTENSION_VERSION": "1"}
    return replace(image_options(environ, "order"), prometheus_port=port)


@pytest.fixture
def order(mesh: Mesh, upstream: Upstream, scraping: Options) -> Sidecar:
    """A caller of product by two virtual services."""
    mesh.put(*shop())
    mesh.put(meshes.node("order", [], ["product.local", "other.local"]), meshes.service("other.local", node="product"))
    mesh.sidecar("product", upstream)
    return mesh.sidecar("order", ports=(), options=scraping)


@pytest.mark.feature(30, better="Prometheus reads one page of the admin port, which stays on loopback")
def test_prometheus_reads_one_page_with_app_meshs_tags(order: Sidecar, port: int) -> None:
    """What Flagger and dashboards ask for, tagged with mesh and node; nothing else of the admin port."""
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "product answers")
    tags = {"appmesh_mesh": "shop", "appmesh_virtual_node": "order"}
    cluster = {"envoy_cluster_name": "cds_egress_shop_product_http_5000"}

    assert value(port, "envoy_cluster_upstream_rq", **tags, **cluster, envoy_response_code="200") >= 1
    names = {name for name, _ in scraped(port)}
    assert {"envoy_cluster_upstream_rq_time_bucket", "envoy_cluster_membership_healthy"} <= names
    assert [404, 404] == [get(port, path)[0] for path in ("/quitquitquit", "/config_dump")]


@pytest.mark.feature(31)
def test_figures_are_named_after_app_meshs_resources(order: Sidecar, upstream: Upstream, port: int) -> None:
    """Each request is counted once for the service that was called and the node that answered, by its status."""
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "product answers")
    upstream.behave = lambda path, count: (int(path.rpartition("/")[2] or 200), 0.0)
    before = scraped(port)
    for status, count in ((200, 3), (404, 2), (500, 1)):
        for _ in range(count):
            assert order.get(f"{PRODUCT}{status}")[0] == status
    for _ in range(4):
        assert order.get("http://other.local:5000/200")[0] == 200

    def grown(name: str, labels: dict[str, str]) -> float:
        key = (f"envoy_appmesh_{name}", frozenset(labels.items()))
        return scraped(port).get(key, 0.0) - before.get(key, 0.0)

    assert 6 == eventually(lambda: grown("RequestCountPerTarget", TO_PRODUCT) == 6 and 6, "six requests")
    assert [3, 0, 2, 1] == [grown(f"HTTPCode_Target_{n}XX_Count", TO_PRODUCT) for n in (2, 3, 4, 5)]
    assert 4 == grown("RequestCountPerTarget", AS_OTHER)
    assert grown("TargetProcessedBytes", TO_PRODUCT) > 6 * 100
    answered = value(port, "envoy_appmesh_RequestCountPerTarget", **TO_PRODUCT)
    # Envoy merges its threads' histograms once a second.
    eventually(
        lambda: value(port, "envoy_appmesh_TargetResponseTime_bucket", **TO_PRODUCT, le="15000") == answered,
        "their response times, in the buckets of all our histograms",
    )


@pytest.mark.feature(31)
def test_what_comes_in_is_counted_too(mesh: Mesh, upstream: Upstream, port: int, scraping: Options) -> None:
    """Requests and bytes of the node itself, under its own name."""
    mesh.put(meshes.mesh(), meshes.node("order"))
    order = mesh.sidecar("order", upstream, options=scraping)
    for _ in range(5):
        assert get(order.ports[5000], "/")[0] == 200

    eventually(lambda: value(port, "envoy_appmesh_RequestCount", **ORDER) == 5, "five requests")
    assert value(port, "envoy_appmesh_ProcessedBytes", **ORDER) > 5 * 100
    assert 0 == value(port, "envoy_appmesh_GrpcRequestCount", **ORDER)
    tags = {"appmesh_mesh": "shop", "appmesh_virtual_node": "order", "envoy_http_conn_manager_prefix": "ingress"}
    assert 5 == value(port, "envoy_http_downstream_cx_total", **tags)


@pytest.mark.feature(30)
def test_dogstatsd_is_told(mesh: Mesh, upstream: Upstream) -> None:
    """Counters with their tags, over UDP."""
    with datagrams() as statsd:
        environ = {"ENABLE_ENVOY_DOG_STATSD": "1", "STATSD_PORT": str(statsd.port), "ENABLE_ENVOY_STATS_TAGS": "1"}
        mesh.put(meshes.mesh(), meshes.node("order"))
        order = mesh.sidecar("order", upstream, options=image_options(environ, "order"))
        get(order.ports[5000], "/")

        def told() -> bool:
            return any(
                line.startswith("envoy.cluster.upstream_rq_completed:1|c|#") and "appmesh.virtual_node:order" in line
                for text in statsd.all()
                for line in text.splitlines()
            )

        eventually(told, "the request")


@pytest.mark.feature(30)
@pytest.mark.parametrize("name", ["product.v2", "product:v2"])
def test_a_node_is_counted_whatever_its_name(mesh: Mesh, upstream: Upstream, name: str) -> None:
    """A dot or a colon in a virtual node's name does not hide its requests from the seen shares."""
    mesh.put(*meshes.shop(), meshes.node(name), meshes.route("product-r", "all", {name: 1}))
    mesh.sidecar(name, upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "it answers")

    def seen() -> bool:
        [split] = splits(mesh.store.state, {0.0: mesh.figures.since(0)})
        return [name] == [one["virtualNode"] for one in split["targets"] if one["requests"]]

    eventually(seen, "it is counted")
