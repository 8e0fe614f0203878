"""The types of the API's documents, for code that reads their keys: mypy refuses a key that the API does not have.

Where the API has one shape for virtual nodes and another for gateways, or one for HTTP and another for gRPC, a type
here has the fields of both, because the same code reads them. A unit test compares every type with the published model.
Documents are validated before they are read; at runtime they are ordinary mappings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict, cast

from shopmesh.appmesh.store import Document


class DurationDocument(TypedDict, total=False):
    """Of `ms` or `s`."""

    unit: str
    value: int


class TimeoutDocument(TypedDict, total=False):
    """Of a route, or of a listener for one protocol; TCP has `idle` alone."""

    idle: DurationDocument
    perRequest: DurationDocument


class PortMappingDocument(TypedDict):
    port: int
    protocol: str


class CertificateFilesDocument(TypedDict):
    certificateChain: str
    privateKey: str


class TrustFileDocument(TypedDict):
    certificateChain: str


class SecretDocument(TypedDict):
    secretName: str


class AcmCertificateDocument(TypedDict):
    certificateArn: str


class AcmTrustDocument(TypedDict):
    certificateAuthorityArns: Sequence[str]


class CertificateDocument(TypedDict, total=False):
    """Exactly one source; `acm` for listeners alone."""

    acm: AcmCertificateDocument
    file: CertificateFilesDocument
    sds: SecretDocument


class TrustDocument(TypedDict, total=False):
    """Exactly one source; `acm` for client policies alone."""

    acm: AcmTrustDocument
    file: TrustFileDocument
    sds: SecretDocument


class AcceptedNamesDocument(TypedDict):
    exact: Sequence[str]


class SubjectAlternativeNamesDocument(TypedDict):
    match: AcceptedNamesDocument


class ValidationDocument(TypedDict, total=False):
    """How the certificate of the other side is verified."""

    subjectAlternativeNames: SubjectAlternativeNamesDocument
    trust: Required[TrustDocument]


class ListenerTlsDocument(TypedDict, total=False):
    certificate: Required[CertificateDocument]
    mode: Required[str]
    validation: ValidationDocument


class ClientTlsDocument(TypedDict, total=False):
    """The `tls` of a client policy."""

    certificate: CertificateDocument
    enforce: bool
    ports: Sequence[int]
    validation: Required[ValidationDocument]


class ClientPolicyDocument(TypedDict, total=False):
    tls: ClientTlsDocument


class VirtualServiceBackendDocument(TypedDict, total=False):
    clientPolicy: ClientPolicyDocument
    virtualServiceName: Required[str]


class BackendDocument(TypedDict, total=False):
    virtualService: VirtualServiceBackendDocument


class BackendDefaultsDocument(TypedDict, total=False):
    clientPolicy: ClientPolicyDocument


ConnectionLimitsDocument = Mapping[str, int]
"""`maxRequests` of http2 and grpc, `maxConnections` and `maxPendingRequests` of http, `maxConnections` of tcp."""

ConnectionPoolDocument = Mapping[str, ConnectionLimitsDocument]
"""By protocol, of which there is one."""


class HealthCheckDocument(TypedDict, total=False):
    healthyThreshold: Required[int]
    intervalMillis: Required[int]
    path: str
    port: int
    protocol: Required[str]
    timeoutMillis: Required[int]
    unhealthyThreshold: Required[int]


class OutlierDetectionDocument(TypedDict):
    baseEjectionDuration: DurationDocument
    interval: DurationDocument
    maxEjectionPercent: int
    maxServerErrors: int


class ListenerDocument(TypedDict, total=False):
    """Of a virtual node, router or gateway; `timeout` is by protocol."""

    connectionPool: ConnectionPoolDocument
    healthCheck: HealthCheckDocument
    outlierDetection: OutlierDetectionDocument
    portMapping: Required[PortMappingDocument]
    timeout: Mapping[str, TimeoutDocument]
    tls: ListenerTlsDocument


class JsonFormatDocument(TypedDict):
    key: str
    value: str


class LogFormatDocument(TypedDict, total=False):
    json: Sequence[JsonFormatDocument]
    text: str


class AccessLogFileDocument(TypedDict, total=False):
    format: LogFormatDocument
    path: Required[str]


class DnsDocument(TypedDict, total=False):
    hostname: Required[str]
    ipPreference: str
    responseType: str


class CloudMapDocument(TypedDict, total=False):
    attributes: Sequence[JsonFormatDocument]
    ipPreference: str
    namespaceName: Required[str]
    serviceName: Required[str]


class ServiceDiscoveryDocument(TypedDict, total=False):
    awsCloudMap: CloudMapDocument
    dns: DnsDocument


class MatchRangeDocument(TypedDict):
    end: int
    start: int


class ValueMatchDocument(TypedDict, total=False):
    """How the value of a header, or of an entry of gRPC's metadata, is compared: exactly one of these."""

    exact: str
    prefix: str
    range: MatchRangeDocument
    regex: str
    suffix: str


class HeaderDocument(TypedDict, total=False):
    """Of a match: a header, or an entry of gRPC's metadata."""

    invert: bool
    match: ValueMatchDocument
    name: Required[str]


class QueryValueDocument(TypedDict, total=False):
    exact: str


class QueryParameterDocument(TypedDict, total=False):
    match: QueryValueDocument
    name: Required[str]


class PathDocument(TypedDict, total=False):
    exact: str
    regex: str


HostnameDocument = Mapping[Literal["exact", "suffix"], str]
"""Exactly one of the two."""


class MatchDocument(TypedDict, total=False):
    """Of a route or gateway route of any protocol; `hostname` is of gateway routes alone."""

    headers: Sequence[HeaderDocument]
    hostname: HostnameDocument
    metadata: Sequence[HeaderDocument]
    method: str
    methodName: str
    path: PathDocument
    port: int
    prefix: str
    queryParameters: Sequence[QueryParameterDocument]
    scheme: str
    serviceName: str


class WeightedTargetDocument(TypedDict, total=False):
    port: int
    virtualNode: Required[str]
    weight: Required[int]


class RouteActionDocument(TypedDict):
    weightedTargets: Sequence[WeightedTargetDocument]


class RetryPolicyDocument(TypedDict, total=False):
    grpcRetryEvents: Sequence[str]
    httpRetryEvents: Sequence[str]
    maxRetries: Required[int]
    perRetryTimeout: Required[DurationDocument]
    tcpRetryEvents: Sequence[str]


class RouteDocument(TypedDict, total=False):
    """What a route's specification holds under `httpRoute`, `http2Route`, `grpcRoute` or `tcpRoute`."""

    action: Required[RouteActionDocument]
    match: MatchDocument
    retryPolicy: RetryPolicyDocument
    timeout: TimeoutDocument


class HostnameRewriteDocument(TypedDict, total=False):
    defaultTargetHostname: str


class PathRewriteDocument(TypedDict, total=False):
    exact: str


class PrefixRewriteDocument(TypedDict, total=False):
    defaultPrefix: str
    value: str


class RewriteDocument(TypedDict, total=False):
    hostname: HostnameRewriteDocument
    path: PathRewriteDocument
    prefix: PrefixRewriteDocument


class ServiceNameDocument(TypedDict):
    virtualServiceName: str


class GatewayTargetDocument(TypedDict, total=False):
    port: int
    virtualService: Required[ServiceNameDocument]


class GatewayActionDocument(TypedDict, total=False):
    rewrite: RewriteDocument
    target: Required[GatewayTargetDocument]


class GatewayRouteDocument(TypedDict):
    """What a gateway route's specification holds under `httpRoute`, `http2Route` or `grpcRoute`."""

    action: GatewayActionDocument
    match: MatchDocument


def route_body(spec: Document, kind: str) -> RouteDocument:
    """What a route's specification holds under its kind."""
    return cast(RouteDocument, spec[kind])


def gateway_route_body(spec: Document, kind: str) -> GatewayRouteDocument:
    """What a gateway route's specification holds under its kind."""
    return cast(GatewayRouteDocument, spec[kind])
