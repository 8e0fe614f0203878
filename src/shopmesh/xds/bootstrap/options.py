"""What a bootstrap may be told beyond whose it is and where its control plane is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.bootstrap.tracers import Tracer


class BootstrapError(ValueError):
    """A bootstrap that Envoy would refuse; the message names the setting, its value and what to do."""


@dataclass(frozen=True)
class Options:
    """What a sidecar does when nobody says anything stands here.

    Paths are in the proxy's file system, addresses are Envoy's `Address`, `statistics` are regular expressions of more
    that Envoy shall keep, `additions` parts of a bootstrap that are merged into this one, in order.
    """

    xds_socket: str | None = None
    # 0: never ready before it is configured. With a time-out Envoy says that it is ready with nothing to serve.
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
