"""How an Envoy reaches its control plane, verifies it, and authenticates itself."""

from __future__ import annotations

import posixpath
import re

from shopmesh.appmesh.texts import is_address
from shopmesh.xds import names
from shopmesh.xds.bootstrap.envoy_json import Json, T, address, cluster, http_options, pipe
from shopmesh.xds.bootstrap.options import BootstrapError, Options

_TOKEN_PATH = re.compile(r"/[\x21-\x7e]+")
"""Paths that Envoy's command operator can contain: `:` separates its arguments, `%` and `)` end it."""


def service() -> Json:
    """The gRPC service for ADS, statistics and health checks."""
    return {
        "cluster_name": names.XDS_CLUSTER,
        # With Envoy's default back-off it reconnects to a restarted control plane after 6 to 14 s.
        "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}},
    }


def ads_config_source(options: Options) -> Json:
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": f"{options.initial_fetch_seconds}s"}


def clusters(host: str, port: int, token_file: str | None, ca_file: str | None, options: Options) -> list[Json]:
    """The clusters of the control plane and of the host's SDS server."""
    found = [_control_plane(host, port, token_file, options)]
    if ca_file is not None:
        found[0]["transport_socket"] = _tls(host, ca_file, options)
    if options.sds_socket is not None:
        found.append(cluster(names.SDS_CLUSTER, pipe(options.sds_socket), http2=True))
    return found


def _control_plane(host: str, port: int, token_file: str | None, options: Options) -> Json:
    at = address(host, port) if options.xds_socket is None else pipe(options.xds_socket)
    keepalive = {"connection_keepalive": {"interval": "10s", "timeout": "5s"}}
    filters = {} if token_file is None else {"http_filters": _token_filters(token_file)}
    return {
        **cluster(names.XDS_CLUSTER, at),
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 10, "keepalive_interval": 5, "keepalive_probes": 3}
        },
        "typed_extension_protocol_options": http_options({"http2_protocol_options": keepalive}, **filters),
    }


def _tls(host: str, ca_file: str, options: Options) -> Json:
    """TLS to a control plane whose certificate is for that host.

    The file is an SDS secret, because Envoy 1.40 never reloads PEM files of a static section, watched or not.
    """
    if options.xds_socket is not None:
        raise BootstrapError("a control plane on a Unix socket has no name for a certificate: leave out --xds-ca-file")
    if not ca_file.startswith("/"):
        raise BootstrapError(f"the CA file {ca_file!r} cannot be watched: give an absolute path")
    source = {"path": ca_file, "watched_directory": {"path": posixpath.dirname(ca_file)}}
    validation = {
        "default_validation_context": {
            "match_typed_subject_alt_names": [
                {"san_type": "IP_ADDRESS" if is_address(host) else "DNS", "matcher": {"exact": host}}
            ]
        },
        "validation_context_sds_secret_config": {
            "name": names.XDS_AUTHORITY,
            "sds_config": {"path_config_source": source, "resource_api_version": "V3"},
        },
    }
    config = {
        "@type": f"{T}extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "alpn_protocols": ["h2"],
            "combined_validation_context": validation,
        },
    }
    if not is_address(host):
        config["sni"] = host
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}


def _token_filters(path: str) -> list[Json]:
    """Filters of the control plane's cluster that add the token of that file to each new stream.

    Envoy watches the file and its folder, so it notices a move, a write in place and a Kubernetes volume. Unlike an SDS
    secret this needs no second file.
    https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage#command-operators
    """
    if not _TOKEN_PATH.fullmatch(path) or set(path) & set(":%()"):
        raise BootstrapError(
            f"Envoy cannot read the token file {path!r}: give an absolute path without spaces, colons, "
            "per cent signs and brackets"
        )
    content = f"%FILE_CONTENT({path}:{posixpath.dirname(path)})%"
    mutation = {
        "@type": f"{T}extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {
            "request_mutations": [
                {
                    "append": {
                        "header": {"key": "authorization", "value": f"Bearer {content}"},
                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                    }
                }
            ],
            "formatters": [
                {
                    "name": "envoy.formatter.file_content",
                    "typed_config": {"@type": f"{T}extensions.formatter.file_content.v3.FileContent"},
                }
            ],
        },
    }
    codec = {"@type": f"{T}extensions.filters.http.upstream_codec.v3.UpstreamCodec"}
    return [
        {"name": "envoy.filters.http.header_mutation", "typed_config": mutation},
        {"name": "envoy.filters.http.upstream_codec", "typed_config": codec},
    ]
