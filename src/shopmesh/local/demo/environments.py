"""Where the webinar is played: on this machine, with everything started for it; or in a mesh that runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set

from shopmesh.client import Client, everything, meshes, perform
from shopmesh.client.plan import plan
from shopmesh.documents import Declared
from shopmesh.local.errors import StartError
from shopmesh.local.mesh import operations
from shopmesh.local.mesh.from_manifests import Workload
from shopmesh.local.mesh.local_mesh import Machine
from shopmesh.local.mesh.resources import create, without_nodes
from shopmesh.local.processes.shutdown import together
from shopmesh.local.up import prepare


class OwnMachine:
    """Processes of this machine, started for the play."""

    opening = "starting the control plane, {}, and an Envoy for each"
    entering = "starting {} and its Envoy, which waits for its virtual node"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.way_in = machine.settings.way_in

    @property
    def client(self) -> Client:
        return self._machine.client

    async def open(self, resources: Sequence[Declared], first: Sequence[Workload], canaries: Set[str]) -> None:
        without = without_nodes(resources, canaries)
        await together(prepare(self._machine, without), self._machine.start(first))

    async def enter(self, canary: Workload) -> None:
        await operations.start(self._machine, canary)


class RunningMesh:
    """A mesh whose workloads somebody else runs, canaries too: its routes are set as the play begins."""

    opening = "setting the mesh to its start, with {}"
    entering = "waiting until {} is ready and known to its callers"

    def __init__(self, client: Client, way_in: str) -> None:
        self.client = client
        self.way_in = way_in

    async def open(self, resources: Sequence[Declared], first: Sequence[Workload], canaries: Set[str]) -> None:
        mesh = first[0].mesh
        if mesh not in await asyncio.to_thread(meshes, self.client):
            await asyncio.to_thread(create, self.client, resources)
        else:
            await asyncio.to_thread(self._reset, resources)
        for workload in first:
            await operations.joined(self.client, workload)

    async def enter(self, canary: Workload) -> None:
        proxies = await asyncio.to_thread(self.client.proxies)
        if not any(proxy["name"] == canary.node for proxy in proxies):
            raise StartError(f"nothing of {canary.node} runs: start {canary.promise} beside the others")
        await operations.joined(self.client, canary)

    def _reset(self, resources: Sequence[Declared]) -> None:
        """Only the routes: what else the mesh has is its user's."""
        routes = [resource for resource in resources if resource.key.kind == "route"]
        perform(self.client, plan(routes, everything(self.client)))
