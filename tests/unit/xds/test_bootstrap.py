"""The file that an Envoy starts with."""

from __future__ import annotations

import dataclasses
import json

import pytest
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf.json_format import ParseDict

from shopmesh.xds.bootstrap import BootstrapError, Options, bootstrap_document
from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.node import ProxyNode, parse
from tests.support.bootstraps import EXPLICIT, parsed

INTERCEPTED = ProxyNode(mesh="shop", name="order", instance="order-1")


@pytest.mark.parametrize("node", [EXPLICIT, INTERCEPTED, None])
def test_it_is_a_bootstrap(node: ProxyNode | None) -> None:
    """Every field exists in Envoy's own definition, and it survives JSON."""
    made = parsed(bootstrap_document(node, "127.0.0.1", 18000, 9901))

    assert (parse(made.node) if node else None) == (
        node and dataclasses.replace(node, cluster=node.cluster or node.name)
    )


def test_nothing_answers_before_it_is_configured() -> None:
    """Pitfall "Fetch timeout": 0, so that ready means configured."""
    dynamic = bootstrap_document(EXPLICIT, "127.0.0.1", 18000, 9901)["dynamic_resources"]

    assert dynamic["cds_config"]["initial_fetch_timeout"] == "0s"
    assert dynamic["lds_config"]["initial_fetch_timeout"] == "0s"


def test_prometheus_reaches_an_admin_socket() -> None:
    """Its listener leads to where the interface is."""
    made = bootstrap_document(
        EXPLICIT, "127.0.0.1", 18000, 9901, options=Options(admin_socket="/run/a.sock", prometheus_port=1)
    )
    (cluster,) = [one for one in made["static_resources"]["clusters"] if one["name"] == "admin"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]

    assert parsed(made).admin.address.pipe.mode == 0o600
    assert ("STATIC", "/run/a.sock") == (cluster["type"], endpoint["endpoint"]["address"]["pipe"]["path"])


def test_it_returns_quickly() -> None:
    """Pitfall "Reconnect storm": its own back-off, with Envoy's jitter, of half a second at most."""
    (service,) = bootstrap_document(EXPLICIT, "127.0.0.1", 18000, 9901)["dynamic_resources"]["ads_config"][
        "grpc_services"
    ]

    assert service["envoy_grpc"]["retry_policy"]["retry_back_off"] == {"base_interval": "0.1s", "max_interval": "0.5s"}


@pytest.mark.parametrize(("node", "host"), [(EXPLICIT, "127.0.0.1"), (INTERCEPTED, "0.0.0.0"), (None, "0.0.0.0")])
def test_admin_is_on_loopback_and_ready_where_probes_come_from(node: ProxyNode | None, host: str) -> None:
    """The admin port never leaves the host; readiness does where the mode is for containers."""
    document = bootstrap_document(node, "127.0.0.1", 18000, 9901, 15021)

    assert document["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9901}
    (ready,) = document["static_resources"]["listeners"]
    assert ready["address"]["socket_address"] == {"address": host, "port_value": 15021}


def test_the_token_goes_with_every_stream() -> None:
    """Named by its path alone, with the folder to be watched: a Kubernetes volume swaps a link in there."""
    document = bootstrap_document(EXPLICIT, "127.0.0.1", 18000, 9901, token_file="/var/run/shopmesh/token")

    assert "Bearer %FILE_CONTENT(/var/run/shopmesh/token:/var/run/shopmesh)%" in json.dumps(document)


def tls_of(document: Json) -> Json:
    config: Json = document["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]
    return config


@pytest.mark.parametrize(
    ("host", "kind", "sni"), [("control-plane.x.svc", "DNS", "control-plane.x.svc"), ("10.0.0.7", "IP_ADDRESS", None)]
)
def test_the_control_plane_proves_that_it_is_that_host(host: str, kind: str, sni: str | None) -> None:
    """Its certificate must name the host that was given, and come from the authority in a file that is watched."""
    config = tls_of(bootstrap_document(EXPLICIT, host, 18000, 9901, ca_file="/var/run/shopmesh/ca.json"))
    validation = config["common_tls_context"]["combined_validation_context"]
    (name,) = validation["default_validation_context"]["match_typed_subject_alt_names"]

    ParseDict({key: value for key, value in config.items() if key != "@type"}, UpstreamTlsContext())
    assert {"san_type": kind, "matcher": {"exact": host}} == name
    assert sni == config.get("sni")
    assert {"path": "/var/run/shopmesh/ca.json", "watched_directory": {"path": "/var/run/shopmesh"}} == (
        validation["validation_context_sds_secret_config"]["sds_config"]["path_config_source"]
    )


def test_without_a_ca_xds_is_plain_text() -> None:
    """As it is on loopback."""
    assert (
        "transport_socket"
        not in bootstrap_document(EXPLICIT, "127.0.0.1", 18000, 9901)["static_resources"]["clusters"][0]
    )


def test_a_ca_that_could_not_be_watched_or_compared_is_refused() -> None:
    """A relative path has no folder to watch, a Unix socket no name."""
    with pytest.raises(BootstrapError, match="absolute path"):
        bootstrap_document(EXPLICIT, "127.0.0.1", 18000, 9901, ca_file="ca.json")
    with pytest.raises(BootstrapError, match="leave out --xds-ca-file"):
        bootstrap_document(EXPLICIT, "x", 18000, 9901, ca_file="/ca.json", options=Options(xds_socket="/xds.sock"))


@pytest.mark.parametrize("path", ["token", "", "/a:b", "/a b", "/%", "/a)", "/tokén"])
def test_a_token_path_that_envoy_cannot_read_is_refused(path: str) -> None:
    """Before an Envoy fails to start with it."""
    with pytest.raises(BootstrapError, match="absolute path"):
        bootstrap_document(EXPLICIT, "127.0.0.1", 18000, 9901, token_file=path)
