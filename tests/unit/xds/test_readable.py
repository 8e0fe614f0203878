"""Envoy's resources as JSON: with its field names, and without private keys, passwords and tokens wherever they are."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from shopmesh.appmesh.annotations.protobuf import message_type
from shopmesh.kubernetes.identity.certificate_authority import CertificateAuthority
from shopmesh.xds.readable import REDACTED, readable
from shopmesh.xds.resources import TypeName, resource, serialise
from shopmesh.xds.translate.tls import secrets

PLANTED = "s3cr3t-that-nobody-may-see"
PEM = f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----\n"
OPAQUE = base64.b64encode(PLANTED.encode()).decode()
"""Neither its text nor its name says that it is secret."""
ENCODED = base64.b64encode(PEM.encode()).decode()
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
HEADERS = "type.googleapis.com/envoy.extensions.filters.http."


@pytest.fixture(autouse=True)
def _types() -> None:
    """Python knows Envoy's types once they are loaded, as they are where a patch names one."""
    for name in ("UpstreamTlsContext", "DownstreamTlsContext"):
        message_type(f"envoy.extensions.transport_sockets.tls.v3.{name}")
    message_type("xds.type.v3.TypedStruct")


def shown(kind: TypeName, message: Message, document: dict[str, Any]) -> dict[str, Any]:
    body = serialise(ParseDict(document, message))
    return readable(kind, resource(kind, "it", body))


def cluster(document: dict[str, Any]) -> dict[str, Any]:
    return shown("clusters", Cluster(), document)


def socket(**context: Any) -> dict[str, Any]:
    typed = {"@type": f"{TLS}UpstreamTlsContext", "common_tls_context": context}
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": typed}}


def header_route(**more: Any) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "c"}, **more}
    return {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}


def filtered(typed: dict[str, Any]) -> dict[str, Any]:
    return {"filter_chains": [{"filters": [{"name": "f", "typed_config": typed}]}]}


def typed_struct(value: dict[str, Any]) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": "x/y.Z", "value": value}


@pytest.mark.parametrize(
    ("kind", "message", "document"),
    [
        pytest.param("clusters", Cluster(), socket(tls_certificates=[{"private_key": source}]), id=f"key {name}")
        for name, source in {
            "inline_string": {"inline_string": PEM},
            "inline_bytes": {"inline_bytes": ENCODED},
        }.items()
    ]
    + [
        pytest.param("clusters", Cluster(), socket(tls_certificates=[{"password": {"inline_string": PLANTED}}])),
        pytest.param("clusters", Cluster(), socket(tls_certificates=[{"pkcs12": {"inline_bytes": OPAQUE}}])),
        # A mistake: the key stands where the certificate should.
        pytest.param("clusters", Cluster(), socket(tls_certificates=[{"certificate_chain": {"inline_string": PEM}}])),
        pytest.param(
            "listeners",
            Listener(),
            {
                "filter_chains": [
                    {
                        "transport_socket": {
                            "name": "tls",
                            "typed_config": {
                                "@type": f"{TLS}DownstreamTlsContext",
                                "session_ticket_keys": {"keys": [{"inline_bytes": OPAQUE}]},
                            },
                        }
                    }
                ]
            },
        ),
        pytest.param("listeners", Listener(), filtered(typed_struct({"token": PLANTED, "deep": {"api_key": PLANTED}}))),
        pytest.param("listeners", Listener(), filtered(typed_struct({"client-secret": {"value": [PLANTED, 7]}}))),
        pytest.param("listeners", Listener(), filtered(typed_struct({"text": f"see {PEM}"}))),
        pytest.param("listeners", Listener(), filtered(typed_struct({"url": f"https://me:{PLANTED}@example.com/"}))),
        pytest.param("listeners", Listener(), filtered(typed_struct({"call": f"curl -H 'x: Bearer {PLANTED}'"}))),
        pytest.param("clusters", Cluster(), {"metadata": {"filter_metadata": {"x": {"password": PLANTED}}}}),
        pytest.param(
            "routes",
            RouteConfiguration(),
            header_route(request_headers_to_add=[{"header": {"key": "Authorization", "value": PLANTED}}]),
        ),
        pytest.param(
            "routes",
            RouteConfiguration(),
            header_route(response_headers_to_add=[{"header": {"key": "set-cookie", "value": PLANTED}}]),
        ),
        pytest.param(
            "routes",
            RouteConfiguration(),
            header_route(match={"prefix": "/", "headers": [{"name": "x-api-key", "string_match": {"exact": PLANTED}}]}),
        ),
        pytest.param(
            "clusters",
            Cluster(),
            {
                "eds_cluster_config": {
                    "eds_config": {
                        "api_config_source": {
                            "grpc_services": [
                                {
                                    "google_grpc": {
                                        "target_uri": "x",
                                        "stat_prefix": "x",
                                        "call_credentials": [{"access_token": PLANTED}],
                                        "channel_credentials": {
                                            "ssl_credentials": {"private_key": {"inline_string": PEM}}
                                        },
                                    },
                                    "initial_metadata": [{"key": "x-token", "value": PLANTED}],
                                }
                            ]
                        }
                    }
                }
            },
        ),
        pytest.param("secrets", Secret(), {"name": "it", "tls_certificate": {"private_key": {"inline_string": PEM}}}),
        pytest.param("secrets", Secret(), {"name": "it", "generic_secret": {"secret": {"inline_string": PLANTED}}}),
    ],
)
def test_secret_is_never_shown(kind: TypeName, message: Message, document: dict[str, Any]) -> None:
    """Neither as it is nor in base64."""
    assert [one for one in (PLANTED, ENCODED, OPAQUE) if one in json.dumps(document)]
    text = json.dumps(shown(kind, type(message)(), document))

    assert not [one for one in (PLANTED, ENCODED, OPAQUE, "PRIVATE KEY") if one in text]


def test_what_is_not_secret_is_shown_as_envoy_names_it() -> None:
    """Names that sound like secrets hide no more than the value."""
    document = {
        "name": "token-service",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "token-service", "endpoints": [{"priority": 1}]},
        **socket(tls_certificate_sds_secret_configs=[{"name": "certificate:/tls.crt:/tls.key"}]),
    }
    assert {"name": "it", "version": resource("clusters", "it", serialise(ParseDict(document, Cluster()))).version} | {
        "resource": document
    } == cluster(document)

    authority = header_route(match={"prefix": "/", "headers": [{"name": ":authority", "string_match": {"exact": "a"}}]})
    assert authority == shown("routes", RouteConfiguration(), authority)["resource"]
    key = socket(tls_certificates=[{"private_key": {"filename": "/tls.key"}}])
    assert key == cluster(key)["resource"]
    hidden = header_route(request_headers_to_add=[{"header": {"key": "x-token", "value": "a"}}])
    [route] = shown("routes", RouteConfiguration(), hidden)["resource"]["virtual_hosts"][0]["routes"]
    assert [{"header": {"key": "x-token", "value": REDACTED}}] == route["request_headers_to_add"]


def test_certificates_are_shown_by_subject_issuer_expiry_and_hash() -> None:
    """Whether a secret or a socket holds one."""
    pair = CertificateAuthority.create("authority", 1_800_000_000.0).issue(["product.local"], 1_800_000_000.0)
    pem = pair.chain.decode()
    found = shown(
        "secrets",
        Secret(),
        {
            "name": "it",
            "tls_certificate": {
                "certificate_chain": {"inline_string": pem},
                "private_key": {"inline_string": pair.key.decode()},
            },
        },
    )
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    assert ("CN=control-plane", "CN=authority", digest, []) == tuple(
        found[name] for name in ("subject", "issuer", "sha256", "files")
    )
    assert found["expires"] > 1_800_000_000
    inline = cluster(socket(tls_certificates=[{"certificate_chain": {"inline_string": pem}}]))
    context = inline["resource"]["transport_socket"]["typed_config"]["common_tls_context"]
    assert [
        {"certificate_chain": {name: found[name] for name in ("subject", "issuer", "expires", "sha256")}}
    ] == context["tls_certificates"]


def test_secret_of_files_names_them() -> None:
    one = secrets.certificate("/run/tls.crt", "/run/tls.key")

    assert {
        "name": one.name,
        "version": one.version,
        "subject": None,
        "issuer": None,
        "expires": None,
        "sha256": None,
        "files": ["/run/tls.crt", "/run/tls.key"],
    } == readable("secrets", one)


@pytest.mark.parametrize("chain", ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "é"])
def test_certificate_that_is_none_is_unknown(chain: str) -> None:
    found = shown(
        "secrets", Secret(), {"name": "it", "tls_certificate": {"certificate_chain": {"inline_string": chain}}}
    )

    assert (None, None, None, None) == tuple(found[name] for name in ("subject", "issuer", "expires", "sha256"))


def test_types_that_are_not_known_are_not_shown() -> None:
    """Their bytes may be anything."""
    one = Listener(name="it")
    one.filter_chains.add().filters.add(name="f").typed_config.type_url = "type.googleapis.com/of.another.Kind"
    one.filter_chains[0].filters[0].typed_config.value = PLANTED.encode()
    text = json.dumps(readable("listeners", resource("listeners", "it", serialise(one))))

    assert "26 bytes of the type type.googleapis.com/of.another.Kind, which cannot be shown" in text
    assert PLANTED not in text
    assert "cannot be shown" in json.dumps(readable("clusters", resource("clusters", "it", b"\xff\xff")))
    infinite = Cluster(name="it")
    infinite.metadata.filter_metadata["x"]["y"] = float("inf")
    assert "cannot be written as JSON" in json.dumps(
        readable("clusters", resource("clusters", "it", serialise(infinite)))
    )
