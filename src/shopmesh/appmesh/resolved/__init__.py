"""What the documents of a mesh mean, decided once: defaults filled in, references followed, listeners chosen.

    View, Resource ──► Route ── WeightedTarget ── Target        which listener a route sends to, and on what terms
                  ──► GatewayRoute                              what a gateway takes, and how it rewrites it

Envoy's configuration, findings, the export for the Gateway API, canaries, splits and local runs read it here, so they
cannot disagree. Everything is computed from a `View`. What several readers need is a *computation*, which a
`ComputingView` remembers; that of `xds.incremental` also tracks what was read. Start with `route`.
"""

from shopmesh.appmesh.resolved.client_policies import (
    TlsPolicy,
    default_tls,
    enforces,
    own_tls,
    policy_by_target,
    tls_by_backend,
    tls_policy,
)
from shopmesh.appmesh.resolved.computing_view import ComputingView, UnchangingView
from shopmesh.appmesh.resolved.defaults import (
    HTTP_PROTOCOLS,
    LOWEST_PRIORITY,
    REQUEST_TIMEOUT_MS,
    ROUTE_PROTOCOLS,
    TCP_PROTOCOLS,
)
from shopmesh.appmesh.resolved.durations import duration_ms, written_ms
from shopmesh.appmesh.resolved.gateway import GatewayRoute, gateway_route, gateway_routes_of
from shopmesh.appmesh.resolved.listeners import (
    Listener,
    Target,
    listener_of,
    listeners,
    offers_tls,
    ports,
    targets_of,
    unvalidated_ports,
)
from shopmesh.appmesh.resolved.order import PathMatch, Rank, path
from shopmesh.appmesh.resolved.retry import DEFAULT_RETRY, GRPC_EVENTS, Retry, retry
from shopmesh.appmesh.resolved.route import Route, WeightedTarget, choose_listener, route, route_of, routes_of
from shopmesh.appmesh.resolved.service import (
    backends,
    called_services,
    calls,
    provider,
    provider_key,
    routers_without_caller,
    service_targets,
)
from shopmesh.appmesh.resolved.timeouts import (
    TimeoutConflict,
    Timeouts,
    shortened_route_timeouts,
    timeouts,
    unused_listener_timeouts,
)

__all__ = [
    "DEFAULT_RETRY",
    "GRPC_EVENTS",
    "HTTP_PROTOCOLS",
    "LOWEST_PRIORITY",
    "REQUEST_TIMEOUT_MS",
    "ROUTE_PROTOCOLS",
    "TCP_PROTOCOLS",
    "ComputingView",
    "GatewayRoute",
    "Listener",
    "PathMatch",
    "Rank",
    "Retry",
    "Route",
    "Target",
    "TimeoutConflict",
    "Timeouts",
    "TlsPolicy",
    "UnchangingView",
    "WeightedTarget",
    "backends",
    "called_services",
    "calls",
    "choose_listener",
    "default_tls",
    "duration_ms",
    "enforces",
    "gateway_route",
    "gateway_routes_of",
    "listener_of",
    "listeners",
    "offers_tls",
    "own_tls",
    "path",
    "policy_by_target",
    "ports",
    "provider",
    "provider_key",
    "retry",
    "route",
    "route_of",
    "routers_without_caller",
    "routes_of",
    "service_targets",
    "shortened_route_timeouts",
    "targets_of",
    "timeouts",
    "tls_by_backend",
    "tls_policy",
    "unused_listener_timeouts",
    "unvalidated_ports",
    "written_ms",
]
