"""One route: which requests, to which clusters, how long, how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    WeightedCluster,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from shopmesh.appmesh.store import Document, Resource
from shopmesh.xds import durations, effects, matches, retries
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.targets import Target
from shopmesh.xds.weights import Weighted, weighted

Matching = Callable[[Document], RouteMatch]

_MATCHINGS: Mapping[str, Matching] = {
    "httpRoute": matches.http,
    "http2Route": matches.http,
    "grpcRoute": matches.grpc,
}


@dataclass(frozen=True)
class BuiltRoute:
    """One Envoy route, its place in the order, the port it is limited to (None: any), and what it leads to."""

    route: Route
    rank: matches.Rank
    port: int | None
    targets: frozenset[Target]
    limitations: tuple[Limitation, ...] = ()
    mirrors: frozenset[Target] = frozenset()


def to_node(single: Target) -> Route:
    """The one route of a virtual service that a node provides: App Mesh's defaults and no choice."""
    return Route(
        match=RouteMatch(prefix="/"),
        route=RouteAction(cluster=single.cluster, timeout=durations.per_request(None), retry_policy=retries.default()),
    )


def ingress(cluster: str, timeouts: Document | None) -> Route:
    """From a proxy's listener to its application; the caller's side has retried already."""
    action = RouteAction(cluster=cluster, timeout=durations.per_request(timeouts))
    if (idle := durations.idle(timeouts)) is not None:
        action.idle_timeout.CopyFrom(idle)
    return Route(match=RouteMatch(prefix="/"), route=action)


def build(reader: Reader, resource: Resource) -> BuiltRoute:
    """Of a stored HTTP or gRPC route."""
    where = f"route {'/'.join(resource.key.path)}"
    kind = next(kind for kind in _MATCHINGS if kind in resource.spec)
    spec = resource.spec[kind]
    document = spec.get("match") or {}
    match = _MATCHINGS[kind](document)
    found = weighted(reader, where, resource, "its requests are answered 503")
    made = Route(name=resource.key.name, match=match)
    if found.leads_somewhere:
        made.route.CopyFrom(_action(spec, found))
    else:
        # Envoy refuses the whole table for one route whose weights are all 0: answer for this route alone.
        made.direct_response.CopyFrom(_nowhere(where))
    annotated = effects.annotate(reader, resource, made)
    return BuiltRoute(
        made,
        matches.rank(resource.key.name, resource.spec.get("priority"), match),
        document.get("port"),
        frozenset(one for one, _ in found.targets),
        (*found.limitations, *annotated.limitations),
        annotated.mirrors,
    )


def clusters_of(route: Route) -> Iterable[str]:
    """The clusters that a route names, which its proxy must have before it."""
    action = route.route
    if action.cluster:
        yield action.cluster
    yield from (one.name for one in action.weighted_clusters.clusters)
    yield from (one.cluster for one in action.request_mirror_policies)


def _action(spec: Document, found: Weighted) -> RouteAction:
    timeouts = spec.get("timeout")
    policy: RetryPolicy = retries.explicit(spec["retryPolicy"]) if "retryPolicy" in spec else retries.default()
    action = RouteAction(
        # Clusters of weight 0 are kept, as App Mesh did: a shift from 0 then is a change of the routes alone.
        weighted_clusters=WeightedCluster(
            clusters=[
                WeightedCluster.ClusterWeight(name=one.cluster, weight=UInt32Value(value=weight))
                for one, weight in found.targets
            ]
        ),
        timeout=durations.per_request(timeouts),
        retry_policy=policy,
    )
    if (idle := durations.idle(timeouts)) is not None:
        action.idle_timeout.CopyFrom(idle)
    return action


def _nowhere(where: str) -> DirectResponseAction:
    return DirectResponseAction(
        status=503, body=DataSource(inline_string=f"{where} has no target with a weight above 0\n")
    )
