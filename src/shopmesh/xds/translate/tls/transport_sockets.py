"""Envoy's TLS transport sockets, and the listeners and clusters that have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.listener.v3.listener_components_pb2 import (
    FilterChain,
    ListenerFilter,
    ListenerFilterChainMatchPredicate,
)
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    SubjectAltNameMatcher,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    CommonTlsContext,
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.range_pb2 import Int32Range
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from shopmesh.appmesh.texts import is_address
from shopmesh.xds import names
from shopmesh.xds.resources import XdsResource, pack_any, resource, serialise
from shopmesh.xds.translate import config_sources, durations
from shopmesh.xds.translate.tls import secrets
from shopmesh.xds.translate.tls.tls import Origination, SecretSource, Termination

SECRETS_FETCH_TIMEOUT_MS = 5000
"""Not 0: a secret that never comes would keep its cluster warming and block every later response about clusters."""

HANDSHAKE_TIMEOUT_MS = 10_000
INSPECTION_TIMEOUT_MS = 500
"""How long a client of a PERMISSIVE port may be silent before its connection counts as plain text. It delays the first
bytes of a server-first protocol."""


def terminate_tls(chain: FilterChain, how: Termination | None, http: bool) -> list[FilterChain]:
    """The filter chain in plain text, with TLS, or twice with both (PERMISSIVE)."""
    if how is None:
        return [chain]
    secure = FilterChain()
    secure.CopyFrom(chain)
    context = DownstreamTlsContext(common_tls_context=_common_context(how.certificate, how.trust, how.names))
    if how.trust is not None:
        context.require_client_certificate.CopyFrom(BoolValue(value=True))
    if http:
        context.common_tls_context.alpn_protocols.extend(("h2", "http/1.1"))
    secure.transport_socket.CopyFrom(_socket(context))
    secure.transport_socket_connect_timeout.CopyFrom(durations.milliseconds(HANDSHAKE_TIMEOUT_MS))
    if not how.permissive:
        return [secure]
    plain = FilterChain()
    plain.CopyFrom(chain)
    secure.filter_chain_match.transport_protocol = "tls"
    plain.filter_chain_match.transport_protocol = "raw_buffer"
    if chain.name:
        secure.name = f"{chain.name}_tls"
    return [secure, plain]


def add_tls_inspector(listener: Listener, ports: Sequence[int] | None = None) -> None:
    """Adds the filter that detects TLS: on these (original) ports, None: on all connections."""
    inspector = ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=pack_any(TlsInspector()))
    if ports is not None:
        inspector.filter_disabled.not_match.CopyFrom(_any_of(ports))
    listener.listener_filters.append(inspector)
    listener.listener_filters_timeout.CopyFrom(durations.milliseconds(INSPECTION_TIMEOUT_MS))
    listener.continue_on_listener_filters_timeout = True


def originate(cluster: Cluster, how: Origination, protocol: str) -> None:
    """Makes a cluster use TLS."""
    context = UpstreamTlsContext(common_tls_context=_common_context(how.certificate, how.trust, how.names))
    if how.server_name and not is_address(how.server_name):
        context.sni = how.server_name
    if protocol != "tcp":
        context.common_tls_context.alpn_protocols.append("h2" if protocol in ("http2", "grpc") else "http/1.1")
    cluster.transport_socket.CopyFrom(_socket(context))


def secret_warmup_cluster(secret: XdsResource) -> XdsResource:
    """A cluster without traffic, which makes a proxy load a secret before a working cluster or listener needs it."""
    source = SecretSource(secret.name, secret)
    common = _common_context(None, source, ()) if secrets.is_trust(secret) else _common_context(source, None, ())
    cluster = Cluster(name=names.secret_warmup_cluster(secret.name), type=Cluster.STATIC)
    cluster.transport_socket.CopyFrom(_socket(UpstreamTlsContext(common_tls_context=common)))
    return resource("clusters", cluster.name, serialise(cluster))


def _common_context(
    certificate: SecretSource | None, trust: SecretSource | None, names: Iterable[str]
) -> CommonTlsContext:
    context = CommonTlsContext()
    if certificate is not None:
        context.tls_certificate_sds_secret_configs.append(_sds_config(certificate))
    if trust is not None:
        context.combined_validation_context.default_validation_context.CopyFrom(
            CertificateValidationContext(match_typed_subject_alt_names=[_san_matcher(name) for name in names])
        )
        context.combined_validation_context.validation_context_sds_secret_config.CopyFrom(_sds_config(trust))
    return context


def _sds_config(source: SecretSource) -> SdsSecretConfig:
    """Over ADS, or from the Unix socket of `APPMESH_SDS_SOCKET_PATH`, such as SPIRE's agent."""
    if source.secret is not None:
        where = config_sources.ads(SECRETS_FETCH_TIMEOUT_MS)
    else:
        where = config_sources.grpc(names.SDS_CLUSTER, SECRETS_FETCH_TIMEOUT_MS)
    return SdsSecretConfig(name=source.name, sds_config=where)


def _san_matcher(name: str) -> SubjectAltNameMatcher:
    """Matches a name of the certificate: a URI (SPIFFE), an IP address or a DNS name, where its wildcards count."""
    kind = SubjectAltNameMatcher.DNS
    if "://" in name:
        kind = SubjectAltNameMatcher.URI
    elif is_address(name):
        kind = SubjectAltNameMatcher.IP_ADDRESS
    return SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=name))


def _any_of(ports: Sequence[int]) -> ListenerFilterChainMatchPredicate:
    rules = [
        ListenerFilterChainMatchPredicate(destination_port_range=Int32Range(start=port, end=port + 1)) for port in ports
    ]
    if len(rules) == 1:
        return rules[0]
    return ListenerFilterChainMatchPredicate(or_match=ListenerFilterChainMatchPredicate.MatchSet(rules=rules))


def _socket(context: Message) -> TransportSocket:
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack_any(context))
