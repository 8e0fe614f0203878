"""A model of the Envoy end of a stream: its subscriptions, its ACKs and NACKs, and the clusters that it uses.

It behaves as the real one was observed to: a cluster with EDS warms until its endpoints come after it, and while one
warms, no request about clusters is sent, not even on a new stream; routes are not warmed. Clusters warm for their
secrets too, until these come, are removed, or one is refused (which ends the waiting for all). A secret whose files are
missing is refused once: sent again in the same bytes it is acknowledged and ignored.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.xds.resources import (
    NAMES_OF_URLS,
    TYPE_URLS,
    TYPES,
    Collection,
    TypeName,
    XdsResource,
    resource,
)
from shopmesh.xds.snapshot import Snapshot, build_snapshot


def make_resource(kind: TypeName, name: str, needs: Iterable[str] = (), **body: Any) -> XdsResource:
    """A resource whose body is JSON that the model understands: `eds`, `routes`, `secrets`, `bad`, anything."""
    needed = sorted(needs)

    def of_variant(words: int, variant: XdsResource | None) -> XdsResource:
        encoded = json.dumps({**body, "needs": needed, "words": words}, sort_keys=True).encode()
        secrets = tuple(make_resource("secrets", one) for one in body.get("secrets", ()) if not body.get("warm_up"))
        return resource(kind, name, encoded, frozenset(needed), secrets, variant)

    return of_variant(1, of_variant(2, None) if kind == "secrets" else None)


def snapshot_of(**collections: Sequence[XdsResource]) -> Snapshot:
    found: dict[TypeName, Collection] = {kind: Collection(kind, collections.get(kind, ())) for kind in TYPES}
    return build_snapshot(found)


def simple(clusters: Mapping[str, int], route: Iterable[str] | None = None, content: int = 0) -> Snapshot:
    """One listener with the route table `r`, which needs these clusters; clusters by name and version, all by EDS."""
    needs = clusters if route is None else route
    return snapshot_of(
        clusters=[make_resource("clusters", name, v=version, eds=True) for name, version in clusters.items()],
        endpoints=[make_resource("endpoints", name) for name in clusters],
        listeners=[make_resource("listeners", "l", routes=["r"])],
        routes=[make_resource("routes", "r", needs, content=content)],
    )


def parse_body(kind: TypeName, value: bytes) -> dict[str, Any]:
    """A body of `made`, or what the model has to know of a real one."""
    if value[:1] == b"{":
        body: dict[str, Any] = json.loads(value)
        return body
    if kind == "clusters":
        return {"eds": Cluster.FromString(value).type == Cluster.EDS}
    if kind == "listeners":
        chains = Listener.FromString(value).filter_chains
        return {
            "routes": [name for chain in chains for one in chain.filters for name in _routes(one)],
            "secrets": [name for chain in chains for name in _secrets(chain)],
        }
    return {"words": value.hex()} if kind == "secrets" else {}


def _secrets(chain: FilterChain) -> Iterable[str]:
    context = DownstreamTlsContext()
    if chain.transport_socket.typed_config.Unpack(context):
        yield from (one.name for one in context.common_tls_context.tls_certificate_sds_secret_configs)


def _routes(one: Filter) -> Iterable[str]:
    manager = HttpConnectionManager()
    if one.typed_config.Unpack(manager):
        yield manager.rds.route_config_name


class Envoy:
    """`receive` takes what a server sends, `next_request` returns its requests; `problems` cost traffic."""

    def __init__(self, accepts_partially: bool = False) -> None:
        self.accepts_partially = accepts_partially
        """Whether the good resources beside a bad one are accepted, as Envoy does for semantic errors."""
        self.has: dict[TypeName, dict[str, dict[str, Any]]] = {kind: {} for kind in TYPES}
        self.versions: dict[TypeName, dict[str, str]] = {kind: {} for kind in TYPES}
        self.subscribed: dict[TypeName, set[str]] = {"endpoints": set(), "secrets": set(), "routes": set()}
        self.waiting: dict[str, set[tuple[TypeName, str]]] = {}
        """Clusters that warm, and what they wait for."""
        self.no_files: set[str] = set()
        """Secrets whose files are not there."""
        self.loaded: dict[str, Any] = {}
        """Secrets as they are in use."""
        self.last_seen: dict[str, Any] = {}
        """The body of each secret that came last, loaded or not."""
        self.serving: set[str] = set()
        """Clusters that routes can use; one that changes stays usable as it was while it warms."""
        self.problems: list[str] = []
        self.responses: list[DeltaDiscoveryResponse] = []
        self._open: set[TypeName] = set()
        self._outgoing: dict[TypeName, deque[DeltaDiscoveryRequest]] = {kind: deque() for kind in TYPES}

    @property
    def warming(self) -> set[str]:
        return set(self.waiting)

    def connect(self) -> None:
        """Begins a new stream; what was in flight on the old one is lost."""
        self._open.clear()
        for kind in TYPES:
            self._outgoing[kind].clear()
        for kind in TYPES:
            if kind in ("clusters", "listeners") or self.subscribed[kind]:
                self._begin(kind)

    def next_request(self) -> DeltaDiscoveryRequest | None:
        """The next request; None when there is none now."""
        for kind in TYPES:
            if self._outgoing[kind] and not (kind == "clusters" and self.warming):
                return self._outgoing[kind].popleft()
        return None

    def receive(self, data: bytes) -> None:
        response = DeltaDiscoveryResponse.FromString(data)
        self.responses.append(response)
        kind = NAMES_OF_URLS[response.type_url]
        bodies = {one.name: parse_body(kind, one.resource.value) for one in response.resources}
        versions = {one.name: one.version for one in response.resources}
        bad = [
            name
            for name, body in bodies.items()
            if body.get("bad") or (kind == "secrets" and self._fails_to_load(name, body))
        ]
        refused = set(versions) if bad and not self.accepts_partially else set(bad)
        for name, version in versions.items():
            if name not in refused and (kind in ("clusters", "listeners") or name in self.subscribed[kind]):
                self._take(kind, name, bodies.get(name, {}), version)
        if not refused:
            for name in response.removed_resources:
                self._remove(kind, name)
        elif kind == "secrets":
            for name in list(self.subscribed["secrets"]):
                self._stop_waiting_for("secrets", name)
        answer = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if bad:
            answer.error_detail.message = f"refused: {', '.join(sorted(bad))}"
        self._outgoing[kind].append(answer)

    def refuse(self, response: DeltaDiscoveryResponse, message: str) -> None:
        """Answers a response with a NACK."""
        answer = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        answer.error_detail.message = message
        self._outgoing[NAMES_OF_URLS[response.type_url]].append(answer)

    def _begin(self, kind: TypeName) -> None:
        self._open.add(kind)
        self._outgoing[kind].append(
            DeltaDiscoveryRequest(
                type_url=TYPE_URLS[kind],
                initial_resource_versions=self.versions[kind],
                resource_names_subscribe=sorted(self.subscribed.get(kind, ())),
            )
        )

    def _take(self, kind: TypeName, name: str, body: dict[str, Any], version: str) -> None:
        changed = self.versions[kind].get(name) != version
        before = self.has[kind].get(name)
        missing = sorted(set(body.get("needs", ())) - self.serving)
        lacking = sorted(set(body.get("secrets", ())) - self.loaded.keys())
        if lacking and before is not None and changed:
            self.problems.append(f"{kind} {name} came before secret {lacking[0]}")
        if missing and before is not None:
            self.problems.append(f"{kind} {name} came before cluster {missing[0]}")
        self.has[kind][name] = body
        self.versions[kind][name] = version
        if kind == "clusters" and changed:
            secrets = [one for one in body.get("secrets", ()) if one not in self.has["secrets"]]
            self.waiting[name] = {("secrets", one) for one in secrets}
            if body.get("eds"):
                self.waiting[name].add(("endpoints", name))
                self._subscribe("endpoints", [name])
            else:
                self._unsubscribe("endpoints", [name])
            self._subscribe("secrets", secrets)
            self._drop("secrets")
            self._finish_warming()
        elif kind in ("endpoints", "secrets"):
            self._stop_waiting_for(kind, name)
        elif kind == "listeners":
            self._subscribe("secrets", body.get("secrets", ()))
            self._subscribe("routes", body.get("routes", ()))
            self._drop("routes")
            self._drop("secrets")

    def _fails_to_load(self, name: str, body: dict[str, Any]) -> bool:
        known = self.last_seen.get(name) == body
        if name not in self.subscribed["secrets"] or known:
            return False
        self.last_seen[name] = body
        if name not in self.no_files:
            self.loaded[name] = body
        return name in self.no_files

    def _stop_waiting_for(self, kind: TypeName, name: str) -> None:
        for waits in self.waiting.values():
            waits.discard((kind, name))
        self._finish_warming()

    def _finish_warming(self) -> None:
        for name in [name for name, waits in self.waiting.items() if not waits]:
            del self.waiting[name]
            self.serving.add(name)

    def _remove(self, kind: TypeName, name: str) -> None:
        if kind == "clusters":
            for table, body in {**self.has["routes"], **self.has["listeners"]}.items():
                if name in body.get("needs", ()) and name in self.has["clusters"]:
                    self.problems.append(f"cluster {name} was removed while {table} needs it")
            self.waiting.pop(name, None)
            self.serving.discard(name)
            self._unsubscribe("endpoints", [name])
        if kind in ("clusters", "listeners"):
            self.has[kind].pop(name, None)
            self.versions[kind].pop(name, None)
        if kind == "listeners":
            self._drop("routes")
        if kind in ("clusters", "listeners"):
            self._drop("secrets")
        if kind == "secrets":
            self.versions["secrets"].pop(name, None)
            self._stop_waiting_for("secrets", name)

    def _drop(self, kind: TypeName) -> None:
        """Unsubscribes from what nothing names any more."""
        users = (*self.has["clusters"].values(), *self.has["listeners"].values())
        gone = self.subscribed[kind] - {name for body in users for name in body.get(kind, ())}
        self._unsubscribe(kind, gone)
        if kind == "secrets":
            for name in gone:
                self.last_seen.pop(name, None)
                self.loaded.pop(name, None)

    def _subscribe(self, kind: TypeName, names: Iterable[str]) -> None:
        new = sorted(set(names) - self.subscribed[kind])
        if new:
            self.subscribed[kind].update(new)
            if kind in self._open:
                self._outgoing[kind].append(
                    DeltaDiscoveryRequest(type_url=TYPE_URLS[kind], resource_names_subscribe=new)
                )
            else:
                self._begin(kind)

    def _unsubscribe(self, kind: TypeName, names: Iterable[str]) -> None:
        old = sorted(set(names) & self.subscribed[kind])
        if old:
            self.subscribed[kind].difference_update(old)
            for name in old:
                self.has[kind].pop(name, None)
                self.versions[kind].pop(name, None)
            self._outgoing[kind].append(DeltaDiscoveryRequest(type_url=TYPE_URLS[kind], resource_names_unsubscribe=old))
