"""The control plane and the workloads of one machine.

start:  control plane ──ready──► forget instances of earlier runs ──► mesh
        applications (at once, beside it) ──ready──► their Envoys, once the control plane is there
stop:   the ways in (no new requests, those under way end) ─► Envoys ─► applications ─► control plane
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence

from shopmesh.client import Client
from shopmesh.local.access import AccessFiles
from shopmesh.local.errors import StartError
from shopmesh.local.http import wait_until_ok
from shopmesh.local.mesh.envoy import Envoy
from shopmesh.local.mesh.from_manifests import Gateway, Workload
from shopmesh.local.mesh.sidecar import WorkloadProcesses
from shopmesh.local.processes.group_record import GroupRecord
from shopmesh.local.processes.orphan_reaper import OrphanReaper
from shopmesh.local.processes.ports import LOOPBACK, Ports
from shopmesh.local.processes.supervisor import ProcessLog, Program, Supervisor, wait_until_ready
from shopmesh.local.settings import LocalSettings
from shopmesh.xds.node import ProxyNode

CONTROL_PLANE = "control-plane"

_CONTROL_PLANE_SECONDS = 30.0
_CONTROL_PLANE_GRACE_SECONDS = 5.0
_DRAIN_SECONDS = 3.0


class LocalMesh:
    """All programs of one `shopmesh up`."""

    def __init__(
        self,
        settings: LocalSettings,
        ports: Ports,
        log: ProcessLog,
        record_groups: Callable[[Iterable[int]], None],
        way_in: str,
    ) -> None:
        """`record_groups` writes down which process groups run, or raises OSError; `way_in` is a service, whether it
        runs or not.
        """
        self.settings = settings
        self._way_in = way_in
        self.workloads: dict[str, WorkloadProcesses] = {}
        self.gateways: dict[Gateway, Envoy] = {}
        self.control_plane_ready = asyncio.Event()
        self._ports = ports
        self._log = log
        self._group_record = GroupRecord(record_groups, log)
        self._reaper = OrphanReaper(str(settings.run_folder), self._group_record.update)
        self._control_plane = Supervisor(self._control_plane_program(), self._reaper, log)
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """A client of the control plane; it blocks, so call it in a thread."""
        if self._client is None:
            self._client = Client(
                self.settings.endpoint, credentials=AccessFiles(self.settings.run_folder).credentials()
            )
        return self._client

    async def start_control_plane(self) -> None:
        """Starts it and waits until it answers. Raises StartError when it does not."""
        self._control_plane.start()
        ready = asyncio.create_task(wait_until_ok(self.settings.api_port, "/readyz", _CONTROL_PLANE_SECONDS))
        try:
            await wait_until_ready(self._control_plane, ready)
        except TimeoutError as error:
            raise StartError(f"the control plane is not ready after {_CONTROL_PLANE_SECONDS:g} s: {error}") from None

    def add_workload(self, workload: Workload) -> WorkloadProcesses:
        """Adds a workload without starting it; the instance must be new."""
        way_in = self.settings.port if workload.service == self._way_in and not self.ways_in else None
        processes = WorkloadProcesses(workload, self.settings, self._ports, self._reaper, self._log, way_in)
        self.workloads[workload.name] = processes
        return processes

    @property
    def ways_in(self) -> list[WorkloadProcesses]:
        """The instances of the service that stands before the others; the first has the way in's port."""
        return [processes for processes in self.workloads.values() if processes.workload.service == self._way_in]

    def add_gateways(self, gateways: Sequence[Gateway]) -> None:
        """Adds gateways without starting them. Raises StartError when a port of one is taken."""
        for gateway in gateways:
            for port in gateway.ports:
                self._ports.reserve(port, f"virtual gateway {gateway.node}", "the listener of its manifest")
            node = ProxyNode(
                mesh=gateway.mesh,
                kind="virtualGateway",
                name=gateway.node,
                instance=gateway.name,
                mode="explicit",
                address=LOOPBACK,
                ports=tuple((port, port) for port in sorted(gateway.ports)),
            )
            self.gateways[gateway] = Envoy(node, self.settings, self._ports, self._reaper, self._log)

    def start_gateways(self) -> None:
        """Starts the gateways; the control plane must run."""
        for envoy in self.gateways.values():
            envoy.start()

    async def start_workloads(self, workloads: Sequence[Workload]) -> None:
        """Starts workloads side by side, the first version of each service before the later ones.

        Requests can be answered as soon as the first versions run; all at once would slow each other's imports down.
        Raises the StartError of the first workload that does not start.
        """
        added = [self.add_workload(workload) for workload in workloads]
        seen: set[str] = set()
        waves: tuple[list[WorkloadProcesses], list[WorkloadProcesses]] = ([], [])
        for processes in added:
            waves[processes.workload.service in seen].append(processes)
            seen.add(processes.workload.service)
        for wave in waves:
            await asyncio.gather(*(processes.start(self.control_plane_ready) for processes in wave))

    async def remove_workload(self, name: str) -> None:
        """Stops a workload at once; `operations.stop_workload` does it without loss."""
        await self.workloads.pop(name).stop()

    async def close(self) -> None:
        """Stops all programs in order."""
        ways_in = [*(processes.sidecar for processes in self.ways_in), *self.gateways.values()]
        await asyncio.gather(*(envoy.refuse_new() for envoy in ways_in))
        await asyncio.gather(*(envoy.drain(_DRAIN_SECONDS) for envoy in ways_in))
        await asyncio.gather(*(envoy.stop() for envoy in self.gateways.values()))
        await asyncio.gather(*(processes.stop() for processes in self.workloads.values()))
        await self._control_plane.stop(_CONTROL_PLANE_GRACE_SECONDS)
        self._reaper.close()
        self._group_record.close()
        if self._client is not None:
            self._client.close()

    def kill_all(self) -> None:
        """Kills all programs without waiting for requests to finish; `close` is still needed."""
        for envoy in self.gateways.values():
            envoy.kill()
        for workload in self.workloads.values():
            workload.kill()
        self._control_plane.kill()

    def _control_plane_program(self) -> Program:
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
                *("--console", settings.console),
                *settings.host_policy.arguments,
                *(("--no-auth",) if settings.no_auth else ()),
            ),
            environment=settings.environment,
            folder=settings.project,
        )
