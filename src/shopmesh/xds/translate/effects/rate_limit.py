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


def rate_limit(context: EffectContext, annotation: RateLimit) -> None:
    """One token bucket for each proxy and annotated resource, shared by all connections."""
    always = RuntimeFractionalPercent(default_value=share(MILLION))
    limit = LocalRateLimit(
        stat_prefix=connection_manager.RATE_LIMIT_STATS,
        token_bucket=TokenBucket(
            max_tokens=annotation.burst,
            tokens_per_fill=UInt32Value(value=annotation.requests),
            fill_interval=durations.milliseconds(annotation.seconds * 1000),
        ),
        filter_enabled=always,
        filter_enforced=always,
        # For gRPC: the default UNAVAILABLE would be retried.
        rate_limited_as_resource_exhausted=True,
    )
    context.message.typed_per_filter_config[connection_manager.RATE_LIMIT].CopyFrom(pack_any(limit))
