"""Composition root of a control plane in a cluster: one of several equal, stateless replicas.

start: API server ─► Secrets (authority, keys) ─► all objects ─► webhook ─► ADS with TLS for pods alone ─► API ─► Lease
stop:  release the Lease ─► API ─► ADS ─► webhook ─► watches
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from shopmesh.appmesh.context import Context
from shopmesh.kubernetes.api.client import ApiServer, KubernetesApiError, Object
from shopmesh.kubernetes.background import background_task
from shopmesh.kubernetes.controller.endpoints import shared_services
from shopmesh.kubernetes.controller.name_claim_writer import NameClaimWriter
from shopmesh.kubernetes.controller.overlaps import OverlapFinder
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.controller.status_updater import StatusUpdater
from shopmesh.kubernetes.identity import certificates, findings
from shopmesh.kubernetes.identity.certificates import Certificates
from shopmesh.kubernetes.identity.pod_auth import PodAuthentication, TokenReviewer
from shopmesh.kubernetes.identity.pods import PodLookup
from shopmesh.kubernetes.identity.sidecar_config_maps import publishing
from shopmesh.kubernetes.initial_mesh import ensuring_initial_mesh
from shopmesh.kubernetes.injection import webhook
from shopmesh.kubernetes.injection.sidecar import config_map_data
from shopmesh.kubernetes.leader_election import LeaderElector
from shopmesh.kubernetes.store import KubernetesStore
from shopmesh.server.config import Config, ConfigError
from shopmesh.server.control_plane import (
    ExtraRoutes,
    Front,
    Listening,
    ServerParts,
    listen,
    no_extra_routes,
    no_front,
    serving_parts,
)
from shopmesh.server.replicas import Peer
from shopmesh.server.replicas.peers import HttpPeers

SERVICE = "control-plane"
"""The Service in front of all replicas, and the name of their Lease."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """The settings of a replica in a cluster.

    `name` is unique among the replicas; `namespace` holds their Secrets and Lease; `audience` is that of the tokens of
    pods. `initial_mesh` are the manifests that a cluster without a Mesh gets. Without a `webhook_port` pods get no
    sidecars. `replicas` are the host names by which all replicas are found.
    """

    name: str
    namespace: str = "shopmesh-system"
    audience: str = "shopmesh"
    initial_mesh: Sequence[Object] = ()
    webhook_port: int | None = None
    replicas: Sequence[Peer] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names in the certificates of the replicas."""
        names = [f"{SERVICE}.{self.namespace}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local")]
        return (*names, "localhost", "127.0.0.1", "::1")

    @property
    def api_hosts(self) -> tuple[str, ...]:
        """The host names that requests to the API may have: those of the Service and of the replicas."""
        return (SERVICE, *self.hosts, *(peer.host for peer in self.replicas))


@contextlib.asynccontextmanager
async def serving(
    config: Config, cluster: ClusterConfig, extra_routes: ExtraRoutes = no_extra_routes, front: Front = no_front
) -> AsyncIterator[Listening]:
    """Serves a control plane for the length of an `async with` block, which begins when all objects are read.

    Raises ConfigError.
    """

    def context() -> Context:
        return Context(config.account, config.region, time.time(), lambda: str(uuid.uuid4()), config.host_policy)

    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(listen(config.host, config.api_port)))
        try:
            api = await ApiServer.connect()
            stack.push_async_callback(api.close)
            keys = config.credentials or await certificates.api_credentials(api, cluster.namespace)
            pairs = await Certificates.load(api, cluster.namespace, cluster.hosts)
        except KubernetesApiError as error:
            raise ConfigError(f"cannot start a control plane of the cluster: {error}") from error
        config = dataclasses.replace(config, credentials=keys, api_hosts=(*config.api_hosts, *cluster.api_hosts))
        await stack.enter_async_context(pairs.auto_renewing())
        store = KubernetesStore(api, context)
        await stack.enter_async_context(store.watching())
        await stack.enter_async_context(ensuring_initial_mesh(api, cluster.initial_mesh, cluster.namespace))
        current = CachedSelectors(store.cache)
        pods = PodAuthentication(TokenReviewer(api, cluster.audience), PodLookup(api, store.cache), store, current)
        sidecar = config_map_data(cluster.hosts[2], config.xds_port)
        await stack.enter_async_context(
            publishing(
                api,
                lambda: pairs.authority,
                lambda: current.get().mesh_namespaces(),
                sidecar,
                lambda: webhook.injected_namespaces(store.cache.namespaces),
                lambda: store.cache.namespace_reference(cluster.namespace),
            )
        )
        if (port := cluster.webhook_port) is not None:
            webhooks = webhook.serving(api, store, current, pairs, config, port)
            await stack.enter_async_context(webhooks)
        overlaps = OverlapFinder(store.cache, current)
        leader = LeaderElector(api, cluster.namespace, SERVICE, cluster.name)
        parts = ServerParts(
            store,
            pods,
            proxies_declare_themselves=False,
            xds_certificate=pairs,
            identity=cluster.name,
            peers=HttpPeers(cluster.replicas, keys, config.region) if cluster.replicas else None,
            leadership=leader,
            extra_findings=lambda proxies: findings.cluster_findings(
                proxies, store, store.cache.pods, overlaps.find(), shared_services(store.keys, store.cache)
            ),
        )
        bound = await stack.enter_async_context(serving_parts(config, parts, listener, extra_routes, front))
        writer = StatusUpdater(api, store, bound.replicas, leader, context, overlaps=overlaps.find)
        await stack.enter_async_context(background_task(leader.run(), "leader election"))
        await stack.enter_async_context(background_task(writer.run(), "status of objects"))
        await stack.enter_async_context(background_task(NameClaimWriter(api, store, leader).run(), "names of objects"))
        yield bound
