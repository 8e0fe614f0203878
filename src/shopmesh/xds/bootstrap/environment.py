"""The environment variables of App Mesh's Envoy image, parsed into `Options` of a bootstrap."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from shopmesh.appmesh.arn import without_owner
from shopmesh.appmesh.texts import is_address, parse_seconds
from shopmesh.xds.bootstrap import tracers
from shopmesh.xds.bootstrap.envoy_json import Json, address, pipe
from shopmesh.xds.bootstrap.options import BootstrapError, Options
from shopmesh.xds.bootstrap.tracers import Tracer
from shopmesh.xds.bootstrap.variables import VARIABLES

LoadFile = Callable[[str], Json]
"""Reads a file of YAML or JSON; raises BootstrapError."""

_DEFAULTS = {one.name: one.default for one in VARIABLES}
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_OWNER = re.compile(r"(?:arn:[^/]+:)?mesh/([^/]+)/(virtualNode|virtualGateway)/([^/]+)")


class ProxyOwner(NamedTuple):
    """The virtual node or gateway whose proxy it is."""

    mesh: str
    kind: str
    name: str


class EnvironmentReader:
    """Reads variables one by one; every error names the variable, its value and what it should be."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        """The value of a variable, or its default in `VARIABLES`; empty if it has neither."""
        return self._environ.get(name) or _DEFAULTS[name]

    def optional_text(self, name: str) -> str | None:
        return self._environ.get(name) or None

    def boolean(self, name: str) -> bool:
        value = self.text(name)
        if value.lower() not in _BOOLEANS:
            raise _invalid(name, value, "1 or 0")
        return _BOOLEANS[value.lower()]

    def port(self, name: str) -> int:
        return _port(name, self.text(name))

    def number(self, name: str) -> int:
        value = self.text(name)
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise _invalid(name, value, "a whole number from 0 on")
        return int(value)

    def fraction(self, name: str) -> float:
        """A number from 0 to 1."""
        value = self.text(name)
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise _invalid(name, value, "a number from 0 to 1")
        return number

    def duration(self, name: str) -> str:
        """A duration in Go's form, `5000ms`, converted to Envoy's, `5s`."""
        value = self.text(name)
        seconds = parse_seconds(value) or 0
        if not 0.001 <= seconds <= 300:
            raise _invalid(name, value, "a time from 1ms to 5m, such as 5s or 500ms")
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def proxy_owner(environ: Mapping[str, str]) -> ProxyOwner | None:
    """The virtual node or gateway that the environment names; None when it names none."""
    env = EnvironmentReader(environ)
    for name in ("APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"):
        if value := env.optional_text(name):
            match = _OWNER.fullmatch(value)
            if match is None:
                raise _invalid(name, value, "mesh/MESH/virtualNode/NAME or mesh/MESH/virtualGateway/NAME, or the ARN")
            mesh, kind, owner = match.groups()
            return ProxyOwner(without_owner(mesh), kind, owner)
    return None


def service_cluster(environ: Mapping[str, str]) -> str | None:
    env = EnvironmentReader(environ)
    return env.optional_text("APPMESH_RESOURCE_CLUSTER") or env.optional_text("APPMESH_VIRTUAL_NODE_CLUSTER")


def control_plane(environ: Mapping[str, str]) -> tuple[str, int] | str | None:
    """The host and port, or the path of a Unix socket, of the control plane; None when the environment has neither."""
    name = "APPMESH_XDS_ENDPOINT"
    value = EnvironmentReader(environ).optional_text(name)
    if value is None:
        return None
    if value.startswith("unix://"):
        path = value.removeprefix("unix://")
        if not path.startswith("/"):
            raise _invalid(name, value, "unix:// and an absolute path, such as unix:///run/xds.sock")
        return path
    host, _, port = value.rpartition(":")
    if not host or not _is_port(port):
        raise _invalid(name, value, "host:port or unix:///path")
    return host.strip("[]"), int(port)


def options(environ: Mapping[str, str], owner: ProxyOwner | None, load: LoadFile) -> Options:
    """The options of a bootstrap; `owner` is None for one that serves many proxies. Raises BootstrapError."""
    env = EnvironmentReader(environ)
    endpoint = control_plane(environ)
    tracing, *others = (
        load(path) if (path := env.optional_text(name)) else {}
        for name in (
            "ENVOY_TRACING_CFG_FILE",
            "ENVOY_STATS_CONFIG_FILE",
            "ENVOY_STATS_SINKS_CFG_FILE",
            "ENVOY_RESOURCES_CONFIG_FILE",
        )
    )
    tracer_of_file, rest = _tracer_of_file(env, tracing)
    cycle = env.optional_text("MAX_REQUESTS_PER_IO_CYCLE")
    return Options(
        xds_socket=endpoint if isinstance(endpoint, str) else None,
        initial_fetch_seconds=env.number("ENVOY_INITIAL_FETCH_TIMEOUT"),
        tracer=tracer_of_file or _tracer(env, owner),
        tracing_decision=env.boolean("APPMESH_SET_TRACING_DECISION"),
        metrics_extension=env.boolean("APPMESH_METRIC_EXTENSION_VERSION"),
        stats_tags=env.boolean("ENABLE_ENVOY_STATS_TAGS"),
        statsd=_statsd(env) if not env.optional_text("ENVOY_STATS_SINKS_CFG_FILE") else None,
        flush_interval=env.duration("ENVOY_STATS_FLUSH_INTERVAL"),
        sds_socket=env.optional_text("APPMESH_SDS_SOCKET_PATH"),
        admin_log=env.optional_text("ENVOY_ADMIN_ACCESS_LOG_FILE"),
        outlier_log=env.optional_text("ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH"),
        runtime={"http.max_requests_per_io_cycle": env.number("MAX_REQUESTS_PER_IO_CYCLE")} if cycle else {},
        overrides=tuple(part for part in (rest, *others) if part),
    )


def _statsd(env: EnvironmentReader) -> Json | None:
    if not env.boolean("ENABLE_ENVOY_DOG_STATSD"):
        return None
    if path := env.optional_text("STATSD_SOCKET_PATH"):
        return pipe(path)
    return address(_ip(env, "STATSD_ADDRESS"), env.port("STATSD_PORT"), "UDP")


def _tracer_of_file(env: EnvironmentReader, content: Json) -> tuple[Tracer | None, Json]:
    """The tracer of `ENVOY_TRACING_CFG_FILE`, and the rest of the file, such as its cluster."""
    if not content:
        return None, {}
    rest = dict(content)
    provider = rest.pop("tracing", {}).get("http")
    if provider is None:
        raise _invalid("ENVOY_TRACING_CFG_FILE", env.text("ENVOY_TRACING_CFG_FILE"), "a file with tracing.http in it")
    return Tracer(provider), rest


def _tracer(env: EnvironmentReader, owner: ProxyOwner | None) -> Tracer | None:
    """The tracer of the proxy, which can have only one."""
    wanted = [
        name for name in _TRACERS if (env.boolean(name) if name.startswith("ENABLE_") else env.optional_text(name))
    ]
    if len(wanted) > 1:
        raise BootstrapError(f"{' and '.join(wanted)} are both set, but a proxy has one tracer: unset all but one")
    return _TRACERS[wanted[0]](env, owner) if wanted else None


def _xray(env: EnvironmentReader, owner: ProxyOwner | None) -> Tracer:
    segment = env.optional_text("XRAY_SEGMENT_NAME") or _default_name("XRAY_SEGMENT_NAME", owner, "{mesh}/{name}")
    host, port = env.text("AWS_XRAY_DAEMON_ADDRESS"), env.port("XRAY_DAEMON_PORT")
    # X-Ray's own form for two addresses: tcp:… for sampling rules, which Envoy does not ask for, and udp:… for spans.
    found = re.search(r"\budp:(\S+)", host)
    host = found[1] if found else host
    if re.fullmatch(r"[^:]+:\d+|\[.+\]:\d+", host):
        host, _, text = host.rpartition(":")
        port = _port("AWS_XRAY_DAEMON_ADDRESS", text)
    if not is_address(host.strip("[]")):
        raise _invalid("AWS_XRAY_DAEMON_ADDRESS", host, "an IP address: Envoy's tracer looks up no names")
    manifest = env.optional_text("XRAY_SAMPLING_RULE_MANIFEST")
    sampling = {"filename": manifest} if manifest else tracers.fixed_rate(env.fraction("XRAY_SAMPLING_RATE"))
    mesh, name = (owner.mesh, owner.name) if owner else ("", "")
    return tracers.xray(segment, host.strip("[]"), port, sampling, mesh, name)


def _jaeger(env: EnvironmentReader, owner: ProxyOwner | None) -> Tracer:
    version = env.text("JAEGER_TRACER_VERSION").upper()
    if version not in ("PROTO", "JSON"):
        raise _invalid("JAEGER_TRACER_VERSION", version, "PROTO or JSON")
    return tracers.zipkin(env.text("JAEGER_TRACER_ADDRESS"), env.port("JAEGER_TRACER_PORT"), version == "JSON")


def _datadog(env: EnvironmentReader, owner: ProxyOwner | None) -> Tracer:
    service = env.optional_text("DD_SERVICE") or _default_name("DD_SERVICE", owner, "envoy-{mesh}/{name}")
    return tracers.datadog(env.text("DATADOG_TRACER_ADDRESS"), env.port("DATADOG_TRACER_PORT"), service)


def _otlp(env: EnvironmentReader, owner: ProxyOwner | None) -> Tracer:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    value = env.text(name)
    protocol = env.text("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in ("grpc", "http/protobuf"):
        raise _invalid("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, "grpc or http/protobuf: Envoy has no other")
    over_http = protocol == "http/protobuf"
    try:
        url = urlsplit(value)
        port = url.port or (4318 if over_http else 4317)
    except ValueError:
        raise _invalid(name, value, "a URL, such as http://collector:4318") from None
    if url.scheme != "http" or not url.hostname:
        raise _invalid(
            name, value, "http://HOST:PORT: for TLS run a collector in the pod or on the host that forwards by TLS"
        )
    service = env.optional_text("OTEL_SERVICE_NAME") or (owner.name if owner else None)
    path = f"{url.path.rstrip('/')}/v1/traces" if over_http else None
    attributes = owner is None or env.optional_text("OTEL_RESOURCE_ATTRIBUTES") is not None
    return tracers.otlp(url.hostname, port, path, service, env.fraction("OTEL_TRACES_SAMPLER_ARG"), attributes)


_TRACERS: Mapping[str, Callable[[EnvironmentReader, ProxyOwner | None], Tracer]] = {
    "ENABLE_ENVOY_XRAY_TRACING": _xray,
    "ENABLE_ENVOY_JAEGER_TRACING": _jaeger,
    "ENABLE_ENVOY_DATADOG_TRACING": _datadog,
    "OTEL_EXPORTER_OTLP_ENDPOINT": _otlp,
}


def _default_name(variable: str, owner: ProxyOwner | None, form: str) -> str:
    if owner is None:
        raise BootstrapError(f"a bootstrap for many proxies has no name: set {variable}, or name the proxy")
    return form.format(mesh=owner.mesh, name=owner.name)


def _ip(env: EnvironmentReader, name: str) -> str:
    value = env.text(name)
    if not is_address(value):
        raise _invalid(name, value, "an IP address")
    return value


def _port(name: str, value: str) -> int:
    if not _is_port(value):
        raise _invalid(name, value, "a port from 1 to 65535")
    return int(value)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535


def _invalid(name: str, value: str, wanted: str) -> BootstrapError:
    return BootstrapError(f"{name} is {value!r}; it must be {wanted}")
