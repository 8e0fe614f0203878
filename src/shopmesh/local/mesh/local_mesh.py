"""The control plane and the workloads of one machine.

start:  control plane ──ready──► forget instances of earlier runs ──► mesh
        applications (at once, beside it) ──ready──► their Envoys, once the control plane is there
stop:   the ways in (no new requests, those under way end) ─► Envoys ─► applications ─► control plane
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence

from shopmesh.client import Client
from shopmesh.local.access import Access
from shopmesh.local.errors import StartError
from shopmesh.local.http import until
from shopmesh.local.mesh.envoy import Envoy
from shopmesh.local.mesh.from_manifests import Gateway, Workload
from shopmesh.local.mesh.sidecar import Pair
from shopmesh.local.processes.orphan_reaper import Guard
from shopmesh.local.processes.ports import LOOPBACK, Ports
from shopmesh.local.processes.supervisor import Keeper, Log, Program, ready_or_given_up
from shopmesh.local.settings import Settings
from shopmesh.xds.node import ProxyNode

CONTROL_PLANE = "control-plane"
WAY_IN = "order"
"""The service before which the load balancer stands in the tutorial, unless another is named."""

_CONTROL_PLANE_SECONDS = 30.0
_CONTROL_PLANE_GRACE_SECONDS = 5.0
_DRAIN_SECONDS = 3.0


class Machine:
    """Everything that one `shopmesh up` runs."""

    def __init__(
        self, settings: Settings, ports: Ports, log: Log, record: Callable[[set[int]], None], way_in: str = WAY_IN
    ) -> None:
        """`record` is told which process groups run whenever that changes; `way_in` is a service."""
        self.settings = settings
        self._way_in = way_in
        self.pairs: dict[str, Pair] = {}
        self.gateways: dict[Gateway, Envoy] = {}
        self.prepared = asyncio.Event()
        self._ports = ports
        self._log = log
        self._guard = Guard(str(settings.run_folder), record)
        self._control_plane = Keeper(self._serve(), self._guard, log)
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Asks the control plane; it blocks, so call it in a thread."""
        if self._client is None:
            self._client = Client(self.settings.endpoint, credentials=Access(self.settings.run_folder).credentials())
        return self._client

    async def start_control_plane(self) -> None:
        """Starts it and waits until it answers. Raises StartError when it does not."""
        self._control_plane.start()
        ready = asyncio.create_task(until(self.settings.api_port, "/readyz", _CONTROL_PLANE_SECONDS))
        try:
            await ready_or_given_up(self._control_plane, ready)
        except TimeoutError as error:
            raise StartError(f"the control plane is not ready after {_CONTROL_PLANE_SECONDS:g} s: {error}") from None

    def add(self, workload: Workload) -> Pair:
        """Makes room for a workload; nothing runs yet. Its instance must not be there already."""
        way_in = self.settings.port if workload.service == self._way_in and not self.ways_in else None
        pair = Pair(workload, self.settings, self._ports, self._guard, self._log, way_in)
        self.pairs[workload.name] = pair
        return pair

    @property
    def ways_in(self) -> list[Pair]:
        """The instances of the service that stands before the others; the first has the way in's port."""
        return [pair for pair in self.pairs.values() if pair.workload.service == self._way_in]

    def reserve(self, gateways: Sequence[Gateway]) -> None:
        """Makes room for gateways, each on its own ports of this machine. Raises StartError when one is taken."""
        for gateway in gateways:
            for port in gateway.ports:
                self._ports.wanted(port, f"virtual gateway {gateway.node}", "the listener of its manifest")
            node = ProxyNode(
                mesh=gateway.mesh,
                kind="virtualGateway",
                name=gateway.node,
                instance=gateway.name,
                mode="explicit",
                address=LOOPBACK,
                ports=tuple((port, port) for port in sorted(gateway.ports)),
            )
            self.gateways[gateway] = Envoy(node, self.settings, self._ports, self._guard, self._log)

    def open(self) -> None:
        """Starts the gateways: there is a control plane now."""
        for envoy in self.gateways.values():
            envoy.start()

    async def start(self, workloads: Sequence[Workload]) -> None:
        """Starts workloads side by side, the first version of each service before the later ones.

        Requests can be answered as soon as the first ones run; with all at once they would wait for each other's
        imports. Raises StartError of the first that does not come up.
        """
        pairs = [self.add(workload) for workload in workloads]
        seen: set[str] = set()
        waves: tuple[list[Pair], list[Pair]] = ([], [])
        for pair in pairs:
            waves[pair.workload.service in seen].append(pair)
            seen.add(pair.workload.service)
        for wave in waves:
            await asyncio.gather(*(pair.start(self.prepared) for pair in wave))

    async def remove(self, name: str) -> None:
        """Stops a workload at once; `operations.stop` does it without loss."""
        await self.pairs.pop(name).stop()

    async def close(self) -> None:
        """Stops all of it, in order."""
        ways_in = [*(pair.sidecar for pair in self.ways_in), *self.gateways.values()]
        await asyncio.gather(*(envoy.refuse_new() for envoy in ways_in))
        await asyncio.gather(*(envoy.drain(_DRAIN_SECONDS) for envoy in ways_in))
        await asyncio.gather(*(envoy.stop() for envoy in self.gateways.values()))
        await asyncio.gather(*(pair.stop() for pair in self.pairs.values()))
        await self._control_plane.stop(_CONTROL_PLANE_GRACE_SECONDS)
        self._guard.close()
        if self._client is not None:
            self._client.close()

    def abandon(self) -> None:
        """Ends everything by force, without waiting for anything to finish."""
        self._guard.close()

    def _serve(self) -> Program:
        settings = self.settings
        return Program(
            name=CONTROL_PLANE,
            arguments=(
                *(sys.executable, "-c", "from shopmesh.cli import main; main()", "serve"),
                *("--api-port", str(settings.api_port), "--store", str(settings.run_folder / "store.db")),
                *("--run-dir", str(settings.run_folder)),
                *(
                    ("--xds-socket", str(settings.xds_socket))
                    if settings.xds_socket
                    else ("--xds-port", str(settings.xds_port))
                ),
                *settings.host_policy.arguments,
                *(("--no-auth",) if settings.no_auth else ()),
            ),
            environment=settings.environment,
            folder=settings.project,
        )
