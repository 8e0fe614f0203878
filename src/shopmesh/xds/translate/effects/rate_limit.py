"""Rate limits: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/local_rate_limit_filter"""

from __future__ import annotations

from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.type.v3.token_bucket_pb2 import TokenBucket
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.annotations.quantities import MILLION
from shopmesh.appmesh.annotations.rate_limit import RateLimit
from shopmesh.xds.resources import pack_any
from shopmesh.xds.translate import durations
from shopmesh.xds.translate.effects.effect_context import EffectContext, share
from shopmesh.xds.translate.http import connection_manager


def rate_limit(context: EffectContext, wanted: RateLimit) -> None:
    """One bucket for all connections of a proxy and all requests of the place."""
    always = RuntimeFractionalPercent(default_value=share(MILLION))
    limit = LocalRateLimit(
        stat_prefix=connection_manager.RATE_LIMIT_STATS,
        token_bucket=TokenBucket(
            max_tokens=wanted.burst,
            tokens_per_fill=UInt32Value(value=wanted.requests),
            fill_interval=durations.milliseconds(wanted.seconds * 1000),
        ),
        filter_enabled=always,
        filter_enforced=always,
        # For gRPC; else UNAVAILABLE, which is retried.
        rate_limited_as_resource_exhausted=True,
    )
    context.message.typed_per_filter_config[connection_manager.RATE_LIMIT].CopyFrom(pack_any(limit))
