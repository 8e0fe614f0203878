"""The environment variables of App Mesh's Envoy image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap

from shopmesh.xds.bootstrap import BootstrapError, Options, bootstrap_document
from shopmesh.xds.bootstrap.environment import ProxyOwner, control_plane, options, proxy_owner, service_cluster
from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.bootstrap.variables import VARIABLES, table, table_of_unused, unused_variables
from shopmesh.xds.node import ProxyNode, parse
from tests.support.bootstraps import parsed

ORDER = ProxyOwner("shop", "virtualNode", "order")
NODE = ProxyNode(mesh="shop", name="order", instance="order-1")


def nothing_to_load(path: str) -> Json:
    raise AssertionError(path)


def told(**environ: str) -> Options:
    return options(environ, ORDER, nothing_to_load)


def tracer(**environ: str) -> Any:
    """The provider's configuration, as the node takes it to the control plane."""
    document = bootstrap_document(NODE, "127.0.0.1", 18000, 9901, options=told(**environ))
    node = parse(parsed(document).node)
    return json.loads(node.telemetry_options.tracer)["typed_config"]


def test_an_empty_environment_changes_nothing() -> None:
    """What the tables call defaults is what happens."""
    plain = bootstrap_document(NODE, "127.0.0.1", 18000, 9901)
    read = bootstrap_document(NODE, "127.0.0.1", 18000, 9901, options=told())

    assert plain == read


@pytest.mark.parametrize("name", ["APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mesh/shop/virtualNode/order", ORDER),
        ("arn:aws:appmesh:eu-west-1:111122223333:mesh/shop/virtualNode/order", ORDER),
        ("mesh/shop/virtualGateway/gw", ProxyOwner("shop", "virtualGateway", "gw")),
        ("mesh/shop@999999999999/virtualNode/order", ORDER),
    ],
)
def test_an_arn_or_its_end_says_whose_proxy_it_is(name: str, value: str, expected: ProxyOwner) -> None:
    """In the variable's three names."""
    assert expected == proxy_owner({name: value})


def test_a_name_for_envoys_cluster() -> None:
    """The newer variable goes first."""
    assert "new" == service_cluster({"APPMESH_RESOURCE_CLUSTER": "new", "APPMESH_VIRTUAL_NODE_CLUSTER": "old"})
    assert "old" == service_cluster({"APPMESH_VIRTUAL_NODE_CLUSTER": "old"})
    assert service_cluster({}) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("control-plane:18000", ("control-plane", 18000)),
        ("[::1]:18000", ("::1", 18000)),
        ("unix:///run/xds.sock", "/run/xds.sock"),
    ],
)
def test_the_control_plane_by_host_or_socket(value: str, expected: object) -> None:
    """As App Mesh wrote it."""
    assert expected == control_plane({"APPMESH_XDS_ENDPOINT": value})


def test_a_socket_is_where_envoy_asks() -> None:
    """Both ends of a Unix socket are on one host."""
    document = bootstrap_document(NODE, "x", 1, 9901, options=told(APPMESH_XDS_ENDPOINT="unix:///run/xds.sock"))
    (cluster,) = parsed(document).static_resources.clusters

    assert "/run/xds.sock" == cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe.path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APPMESH_RESOURCE_ARN", "order"),
        ("APPMESH_XDS_ENDPOINT", "control-plane"),
        ("APPMESH_XDS_ENDPOINT", "unix://xds.sock"),
        ("APPMESH_XDS_ENDPOINT", "control-plane:x"),
        ("ENABLE_ENVOY_STATS_TAGS", "yes"),
        ("ENVOY_INITIAL_FETCH_TIMEOUT", "-1"),
        ("ENVOY_STATS_FLUSH_INTERVAL", "5"),
        ("ENVOY_STATS_FLUSH_INTERVAL", "0s"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(name: str, value: str) -> None:
    """Nobody has to guess which of fifty variables it was."""
    with pytest.raises(BootstrapError, match=f"{name} is '{value}'; it must be"):
        options({name: value}, proxy_owner({name: value}), nothing_to_load)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"ENABLE_ENVOY_XRAY_TRACING": "1", "AWS_XRAY_DAEMON_ADDRESS": "xray"}, "AWS_XRAY_DAEMON_ADDRESS"),
        ({"ENABLE_ENVOY_XRAY_TRACING": "1", "XRAY_SAMPLING_RATE": "5"}, "XRAY_SAMPLING_RATE"),
        ({"ENABLE_ENVOY_JAEGER_TRACING": "1", "JAEGER_TRACER_VERSION": "THRIFT"}, "JAEGER_TRACER_VERSION"),
        ({"ENABLE_ENVOY_DATADOG_TRACING": "1", "DATADOG_TRACER_PORT": "0"}, "DATADOG_TRACER_PORT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP"),
        ({"ENABLE_ENVOY_DOG_STATSD": "1", "STATSD_ADDRESS": "statsd"}, "STATSD_ADDRESS"),
    ],
)
def test_a_wrong_value_of_what_is_switched_on_is_named(environ: dict[str, str], named: str) -> None:
    """Only of what is used: the rest is nobody's mistake."""
    with pytest.raises(BootstrapError, match=named):
        told(**environ)


def test_a_proxy_has_one_tracer() -> None:
    """Envoy can have no more, and nobody would know which."""
    with pytest.raises(BootstrapError, match="XRAY_TRACING and ENABLE_ENVOY_JAEGER_TRACING are both set"):
        told(ENABLE_ENVOY_XRAY_TRACING="1", ENABLE_ENVOY_JAEGER_TRACING="1")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.0.0.1", 2000), ("10.0.0.1:2001", 2001), ("tcp:10.0.0.1:2002 udp:10.0.0.1:2003", 2003)],
)
def test_the_daemon_of_xray(address: str, expected: int) -> None:
    """With its port in the address or beside it, and the sampling that App Mesh had."""
    made = tracer(ENABLE_ENVOY_XRAY_TRACING="1", AWS_XRAY_DAEMON_ADDRESS=address)

    assert {"address": "10.0.0.1", "port_value": expected, "protocol": "UDP"} == made["daemon_endpoint"]
    assert "shop/order" == made["segment_name"]
    assert {"fixed_target": 1, "rate": 0.05} == json.loads(made["sampling_rule_manifest"]["inline_string"])["default"]


def test_a_manifest_goes_before_a_rate() -> None:
    """Envoy reads it, so it is a path in the proxy's file system."""
    made = tracer(ENABLE_ENVOY_XRAY_TRACING="1", XRAY_SAMPLING_RATE="1", XRAY_SAMPLING_RULE_MANIFEST="/rules.json")

    assert {"filename": "/rules.json"} == made["sampling_rule_manifest"]


def test_names_of_services() -> None:
    """Each tracer's default is App Mesh's; OpenTelemetry's is the node's name."""
    assert "envoy-shop/order" == tracer(ENABLE_ENVOY_DATADOG_TRACING="1")["service_name"]
    assert "order" == tracer(OTEL_EXPORTER_OTLP_ENDPOINT="http://c")["service_name"]
    assert "x" == tracer(OTEL_EXPORTER_OTLP_ENDPOINT="http://c", OTEL_SERVICE_NAME="x")["service_name"]


def test_attributes_of_spans_are_read_by_envoy_itself() -> None:
    """One file may serve many: each says its name and version by its own environment."""
    many = options({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, None, nothing_to_load).tracer
    assert many is not None
    for made in (
        tracer(OTEL_EXPORTER_OTLP_ENDPOINT="http://c", OTEL_RESOURCE_ATTRIBUTES="service.version=2.0"),
        many.provider["typed_config"],
    ):
        assert ["envoy.tracers.opentelemetry.resource_detectors.environment"] == [
            one["name"] for one in made["resource_detectors"]
        ]
    assert "service_name" not in many.provider["typed_config"]
    assert "resource_detectors" not in tracer(OTEL_EXPORTER_OTLP_ENDPOINT="http://c")


@pytest.mark.parametrize(("protocol", "port"), [("grpc", 4317), ("http/protobuf", 4318)])
def test_a_collector_has_the_port_of_its_protocol(protocol: str, port: int) -> None:
    """As OpenTelemetry's own exporters have it."""
    found = told(OTEL_EXPORTER_OTLP_ENDPOINT="http://c", OTEL_EXPORTER_OTLP_PROTOCOL=protocol).tracer
    assert found is not None
    (cluster,) = found.clusters

    assert (
        port
        == cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"][
            "port_value"
        ]
    )


def test_files_are_merged_into_ours() -> None:
    """A tracer with its cluster, a sink beside ours, statistics beside those that the control plane counts by."""
    files: dict[str, Json] = {
        "/tracing": {
            "tracing": {"http": {"name": "envoy.tracers.zipkin", "typed_config": {"@type": ZIPKIN}}},
            "staticResources": {"clusters": [{"name": "mine"}]},
        },
        "/stats": {"stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"prefix": "server."}]}}}},
        "/sinks": {"statsSinks": [{"name": "envoy.stat_sinks.statsd"}]},
        "/more": {"flags_path": "/flags"},
    }
    environ = {
        "ENVOY_TRACING_CFG_FILE": "/tracing",
        "ENVOY_STATS_CONFIG_FILE": "/stats",
        "ENVOY_STATS_SINKS_CFG_FILE": "/sinks",
        "ENVOY_RESOURCES_CONFIG_FILE": "/more",
        "ENABLE_ENVOY_DOG_STATSD": "1",
    }
    made = parsed(bootstrap_document(NODE, "x", 1, 9901, options=options(environ, ORDER, files.__getitem__)))

    assert "envoy.tracers.zipkin" == json.loads(parse(made.node).telemetry_options.tracer)["name"]
    assert ["xds", "mine"] == [cluster.name for cluster in made.static_resources.clusters]
    assert ["envoy.stat_sinks.metrics_service", "envoy.stat_sinks.statsd"] == [sink.name for sink in made.stats_sinks]
    kept = made.stats_config.stats_matcher.inclusion_list.patterns
    assert "upstream_rq_" in kept[0].safe_regex.regex
    assert "server." == kept[-1].prefix
    assert "/flags" == made.flags_path


def test_whose_proxy_it_is_cannot_be_brought() -> None:
    """A file that is merged must not make another proxy of it."""
    with pytest.raises(BootstrapError, match="node cannot be overridden"):
        bootstrap_document(NODE, "x", 1, 9901, options=Options(overrides=({"node": {"id": "another"}},)))


def test_a_bootstrap_for_many_takes_what_needs_no_name() -> None:
    """It carries the tracer; what needs a name asks for it."""
    environ = {"ENABLE_ENVOY_JAEGER_TRACING": "1"}
    made = parsed(bootstrap_document(None, "x", 1, 9901, options=options(environ, None, nothing_to_load)))
    made.node.id = "mesh/shop/virtualNode/order"

    assert "zipkin" in parse(made.node).telemetry_options.tracer
    with pytest.raises(BootstrapError, match="DD_SERVICE"):
        options({"ENABLE_ENVOY_DATADOG_TRACING": "1"}, None, nothing_to_load)
    with pytest.raises(BootstrapError, match="name the proxy"):
        bootstrap_document(None, "x", 1, 9901, options=Options(stats_tags=True))


def test_what_is_not_read_any_more_is_told() -> None:
    """Once each, with what to do instead; what is read, and what is not App Mesh's, is not mentioned."""
    set_ = ["ENVOY_LOG_LEVEL", "APPNET_AGENT_HTTP_PORT", "PATH", *(one.name for one in VARIABLES)]

    assert [
        "APPNET_AGENT_HTTP_PORT is not read: there is no agent beside Envoy",
        "ENVOY_LOG_LEVEL is not read: give --log-level to Envoy itself",
    ] == unused_variables(set_)


def test_the_page_has_the_tables_of_the_code() -> None:
    """Else one of them is old."""
    page = (Path(__file__).parents[3] / "docs" / "sidecar.md").read_text()

    assert table() in page
    assert table_of_unused() in page


def test_the_bootstrap_is_one_of_envoys() -> None:
    """With all that can be switched on by variables."""
    made = told(
        ENABLE_ENVOY_STATS_TAGS="1",
        ENABLE_ENVOY_DOG_STATSD="1",
        APPMESH_SDS_SOCKET_PATH="/run/sds.sock",
        ENVOY_ADMIN_ACCESS_LOG_FILE="/dev/stdout",
        ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH="/dev/stdout",
        ENVOY_STATS_FLUSH_INTERVAL="5000ms",
        MAX_REQUESTS_PER_IO_CYCLE="1",
    )
    document: Bootstrap = parsed(bootstrap_document(NODE, "x", 1, 9901, options=made))

    assert 5 == document.stats_flush_interval.seconds
    assert ["appmesh.mesh", "appmesh.virtual_node"] == [tag.tag_name for tag in document.stats_config.stats_tags]
    assert "static_cluster_sds_unix_socket" == document.static_resources.clusters[1].name


ZIPKIN = "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig"
