"""The options of a bootstrap, besides the proxy's identity and the address of its control plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.bootstrap.tracers import Tracer


class BootstrapError(ValueError):
    """A bootstrap that Envoy would refuse; the message names the setting, its value and what to do."""


@dataclass(frozen=True)
class Options:
    """Options with their defaults.

    Paths are in the proxy's file system, addresses are Envoy's `Address`, `statistics` are regular expressions for more
    statistics to keep, `overrides` are sections of a bootstrap that are merged into this one, in order.
    """

    xds_socket: str | None = None
    # 0: not ready before it is configured. With a time-out Envoy becomes ready without a configuration.
    initial_fetch_seconds: int = 0
    tracer: Tracer | None = None
    tracing_decision: bool = True
    metrics_extension: bool = False
    prometheus_port: int | None = None
    statistics: tuple[str, ...] = ()
    stats_tags: bool = False
    statsd: Json | None = None
    flush_interval: str = "1s"
    sds_socket: str | None = None
    admin_socket: str | None = None
    admin_log: str | None = None
    outlier_log: str | None = None
    runtime: Mapping[str, int] = field(default_factory=dict)
    overrides: tuple[Json, ...] = ()
