"""One HTTP or gRPC route: its match, clusters, time-outs and retries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh import resolved
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import MISSING_NODE
from shopmesh.appmesh.resolved import DEFAULT_RETRY, Target, Timeouts
from shopmesh.appmesh.store import Key, Resource
from shopmesh.xds import names
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.translate import effects
from shopmesh.xds.translate.durations import milliseconds
from shopmesh.xds.translate.http import matches, retries


@dataclass(frozen=True)
class BuiltRoute:
    """One Envoy route, its rank, the port it is limited to (None: any), and its targets."""

    route: Route
    rank: resolved.Rank
    port: int | None
    targets: frozenset[Target]
    findings: tuple[Finding, ...] = ()
    mirrors: frozenset[Target] = frozenset()


def node_route(target: Target) -> Route:
    """The only route of a virtual service that a node provides, with App Mesh's defaults."""
    action = RouteAction(cluster=names.egress_cluster(target), retry_policy=retries.policy(DEFAULT_RETRY))
    return Route(match=RouteMatch(prefix="/"), route=_with_timeouts(action, Timeouts()))


def ingress(cluster: str, timeouts: Timeouts) -> Route:
    """The route from a proxy's listener to its application; retries happen at the caller alone."""
    return Route(match=RouteMatch(prefix="/"), route=_with_timeouts(RouteAction(cluster=cluster), timeouts))


def build_route(view: TrackingView, resource: Resource) -> BuiltRoute:
    """Translates a stored HTTP or gRPC route."""
    route = resolved.route(view, resource)
    weights = route.weights
    envoy_route = Route(name=route.key.name, match=matches.match(route.kind, route.match))
    if any(weights.values()):
        envoy_route.route.CopyFrom(_action(route, weights))
    else:
        # Envoy refuses the whole table for one route whose weights are all 0, so this route answers 503 itself.
        envoy_route.direct_response.CopyFrom(_no_target_response(route.key))
    annotated = effects.annotate(view, resource, envoy_route)
    return BuiltRoute(
        envoy_route,
        route.rank,
        route.match.get("port"),
        frozenset(weights),
        (*missing_nodes(route), *annotated.findings),
        annotated.mirrors,
    )


def missing_nodes(route: resolved.Route) -> Iterator[Finding]:
    """Targets whose virtual node does not exist. The API refuses them, but objects of a cluster come in any order."""
    for one in route.targets:
        if one.listeners is None:
            yield MISSING_NODE.at(route.key, f"sends weight {one.weight} to {one.node}, which does not exist")


def clusters_of(route: Route) -> Iterable[str]:
    """The clusters that a route names; a proxy must have them before the route."""
    action = route.route
    if action.cluster:
        yield action.cluster
    yield from (one.name for one in action.weighted_clusters.clusters)
    yield from (one.cluster for one in action.request_mirror_policies)


def share_retry_policy(host: VirtualHost) -> None:
    """Moves the retry policy that all routes of a host have to the host, as it is the larger part of each of them."""
    forwarding = [one.route for one in host.routes if one.HasField("route")]
    if len(forwarding) > 1 and all(one.retry_policy == forwarding[0].retry_policy for one in forwarding):
        host.retry_policy.CopyFrom(forwarding[0].retry_policy)
        for one in forwarding:
            one.ClearField("retry_policy")


def _action(route: resolved.Route, weights: Mapping[Target, int]) -> RouteAction:
    action = RouteAction(retry_policy=retries.policy(route.retry))
    if len(weights) == 1:
        # It gets all requests whatever its weight, and Envoy loads such a route in less time.
        [action.cluster] = map(names.egress_cluster, weights)
    else:
        # Clusters of weight 0 stay, as in App Mesh: a shift from 0 then changes routes alone.
        action.weighted_clusters.clusters.extend(
            WeightedCluster.ClusterWeight(name=names.egress_cluster(target), weight=UInt32Value(value=weight))
            for target, weight in weights.items()
        )
    return _with_timeouts(action, route.timeouts)


def _with_timeouts(action: RouteAction, timeouts: Timeouts) -> RouteAction:
    action.timeout.CopyFrom(milliseconds(timeouts.request_ms))
    if timeouts.idle is not None:
        action.idle_timeout.CopyFrom(milliseconds(timeouts.idle))
    return action


def _no_target_response(route: Key) -> DirectResponseAction:
    body = f"route {'/'.join(route.path)} has no target with a weight above 0\n"
    return DirectResponseAction(status=503, body=DataSource(inline_string=body))
