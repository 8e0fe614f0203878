"""One route: which requests, to which clusters, how long, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from shopmesh.xds import durations, matches, retries
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.targets import HTTP_PROTOCOLS, Target, target

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


def build(reader: Reader, resource: Resource, listener_port: int | None) -> BuiltRoute | Limitation:
    """Of a stored route; `listener_port` is that of its router."""
    where = f"route {'/'.join(resource.key.path)}"
    kind = next((kind for kind in _MATCHINGS if kind in resource.spec), None)
    if kind is None:
        return Limitation(
            where,
            "is a tcpRoute",
            "TCP is not served yet: callers of this service get no answer through the mesh",
            "use an httpRoute, http2Route or grpcRoute",
        )
    spec = resource.spec[kind]
    match = _MATCHINGS[kind](spec.get("match") or {})
    weighted, limitations = _weighted(
        reader, resource.key.mesh, where, spec["action"]["weightedTargets"], listener_port
    )
    made = Route(name=resource.key.name, match=match)
    if sum(weighted.values()) > 0:
        made.route.CopyFrom(_action(spec, weighted))
    else:
        # Envoy refuses the whole table for one route whose weights are all 0: answer for this route alone.
        made.direct_response.CopyFrom(_nowhere(where))
    return BuiltRoute(
        made,
        matches.rank(resource.key.name, resource.spec.get("priority"), match),
        (spec.get("match") or {}).get("port"),
        frozenset(weighted),
        limitations,
    )


def _weighted(
    reader: Reader, mesh: str, where: str, documents: Sequence[Document], listener_port: int | None
) -> tuple[dict[Target, int], tuple[Limitation, ...]]:
    weighted: dict[Target, int] = {}
    limitations = []
    for document in documents:
        node, port = document["virtualNode"], document.get("port")
        found = target(reader, mesh, node, port, listener_port)
        if found is None or found.protocol not in HTTP_PROTOCOLS:
            wanted = "no HTTP listener" if port is None else f"no HTTP listener on port {port}"
            limitations.append(
                Limitation(
                    where,
                    f"its target {node} has {wanted}",
                    f"the weight {document['weight']} of this target goes to the other targets",
                    f"give virtual node {node} such a listener, or take it out of the route",
                )
            )
        else:
            weighted[found] = weighted.get(found, 0) + document["weight"]
    if sum(weighted.values()) == 0:
        limitations.append(
            Limitation(where, "no target has a weight above 0", "its requests are answered 503", "give one a weight")
        )
    return weighted, tuple(limitations)


def _action(spec: Document, weighted: Mapping[Target, int]) -> RouteAction:
    timeouts = spec.get("timeout")
    policy: RetryPolicy = retries.explicit(spec["retryPolicy"]) if "retryPolicy" in spec else retries.default()
    action = RouteAction(
        # Clusters of weight 0 are kept, as App Mesh did: a shift from 0 then is a change of the routes alone.
        weighted_clusters=WeightedCluster(
            clusters=[
                WeightedCluster.ClusterWeight(name=one.cluster, weight=UInt32Value(value=weight))
                for one, weight in weighted.items()
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
