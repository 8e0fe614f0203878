"""Environments of the demo: a mesh that it starts on this machine, or one that runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set

from shopmesh.client import Client, all_resources, list_meshes, perform
from shopmesh.client.plan import plan
from shopmesh.documents import DeclaredResource
from shopmesh.local.errors import StartError
from shopmesh.local.mesh import operations
from shopmesh.local.mesh.from_manifests import Workload
from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.mesh.resources import create_resources, without_nodes
from shopmesh.local.processes.shutdown import run_both
from shopmesh.local.up import prepare_control_plane


class LocalEnvironment:
    """A mesh on this machine, started for the demo."""

    setup_message = "starting the control plane, {}, and an Envoy for each"
    canary_message = "starting {} and its Envoy, which waits for its virtual node"

    def __init__(self, local_mesh: LocalMesh) -> None:
        self._mesh = local_mesh
        self.way_in = local_mesh.settings.way_in

    @property
    def client(self) -> Client:
        return self._mesh.client

    async def set_up(
        self, resources: Sequence[DeclaredResource], first: Sequence[Workload], canaries: Set[str]
    ) -> None:
        def load_mesh(client: Client) -> None:
            create_resources(client, without_nodes(resources, canaries))

        await run_both(prepare_control_plane(self._mesh, load_mesh), self._mesh.start_workloads(first))

    async def start_canary(self, canary: Workload) -> None:
        await operations.start_workload(self._mesh, canary)


class ExistingEnvironment:
    """A mesh that runs already, canaries included; the demo resets its routes first."""

    setup_message = "setting the mesh to its start, with {}"
    canary_message = "waiting until {} is ready and known to its callers"

    def __init__(self, client: Client, way_in: str) -> None:
        self.client = client
        self.way_in = way_in

    async def set_up(
        self, resources: Sequence[DeclaredResource], first: Sequence[Workload], canaries: Set[str]
    ) -> None:
        mesh = first[0].mesh
        if mesh not in await asyncio.to_thread(list_meshes, self.client):
            await asyncio.to_thread(create_resources, self.client, resources)
        else:
            await asyncio.to_thread(self._reset_routes, resources)
        for workload in first:
            await operations.wait_until_joined(self.client, workload)

    async def start_canary(self, canary: Workload) -> None:
        proxies = await asyncio.to_thread(self.client.proxies)
        if not any(proxy["name"] == canary.node for proxy in proxies):
            raise StartError(f"no instance of {canary.node} runs: start {canary.service_version} beside the others")
        await operations.wait_until_joined(self.client, canary)

    def _reset_routes(self, resources: Sequence[DeclaredResource]) -> None:
        """Resets only the routes; the rest of the mesh is its user's."""
        routes = [resource for resource in resources if resource.key.kind == "route"]
        perform(self.client, plan(routes, all_resources(self.client)))
