"""One workload as two programs: its application and its Envoy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from shopmesh.local.errors import StartError
from shopmesh.local.http import wait_until_ok
from shopmesh.local.mesh.envoy import Envoy
from shopmesh.local.mesh.from_manifests import Workload, application_arguments
from shopmesh.local.processes.orphan_reaper import OrphanReaper
from shopmesh.local.processes.ports import LOOPBACK, Ports
from shopmesh.local.processes.supervisor import ProcessLog, Program, Supervisor, wait_until_ready
from shopmesh.local.run_dir import socket_path
from shopmesh.local.settings import LocalSettings
from shopmesh.xds.node import ProxyNode

_READY_SECONDS = 30.0
_APPLICATION_GRACE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class SidecarPorts:
    """Where one workload's programs listen on loopback; `ingress` and `application` by the virtual node's port."""

    ingress: dict[int, int]
    application: dict[int, int]
    egress: int


class WorkloadProcesses:
    """A workload's application and sidecar; started in this order, stopped in reverse."""

    def __init__(
        self,
        workload: Workload,
        settings: LocalSettings,
        ports: Ports,
        reaper: OrphanReaper,
        log: ProcessLog,
        way_in: int | None,
    ) -> None:
        """`way_in` is the port of its ingress; None for a free one."""
        self.workload = workload
        self._log = log
        self.ports = SidecarPorts(
            ingress={port: way_in or ports.reserve_free() for port in workload.ports},
            application={port: ports.reserve_free() for port in workload.ports},
            egress=ports.reserve_free(),
        )
        self.control_socket = socket_path(settings.run_folder, f"{workload.name}.control")
        """The application's own socket for faults and readiness."""
        self.application = Supervisor(self._application_program(settings), reaper, log)
        self.sidecar = Envoy(self._proxy_node(), settings, ports, reaper, log, workload.version)

    async def start(self, control_plane: asyncio.Event) -> None:
        """Starts the application, waits until it is ready, then starts its Envoy, once the control plane is there.

        In this order, because an Envoy that runs is an instance that others send requests to. Raises StartError when
        the application does not come up.
        """
        self.application.start()
        await wait_until_ready(self.application, asyncio.create_task(self._wait_until_ready()))
        await control_plane.wait()
        self.sidecar.start()

    async def stop(self) -> None:
        """Ends Envoy, then the application."""
        await self.sidecar.stop()
        await self.application.stop(_APPLICATION_GRACE_SECONDS)

    def kill(self) -> None:
        """Ends both at once; `stop` then waits for their end."""
        self.sidecar.kill()
        self.application.kill()

    async def _wait_until_ready(self) -> None:
        port = next(iter(self.ports.application.values()))
        try:
            answer = await wait_until_ok(port, "/readyz", _READY_SECONDS)
        except TimeoutError:
            raise StartError(
                f"{self.application.program.name} is not ready after {_READY_SECONDS:g} s "
                f"(http://{LOOPBACK}:{port}/readyz)"
            ) from None
        reported = answer.headers.get("x-service-version", "nothing")
        if reported != self.workload.service_version:
            self._log.say(
                f"{self.workload.node} is {self.workload.service_version} by its labels, but its application reports "
                f"{reported}: correct the labels, or the version in its code"
            )

    def _application_program(self, settings: LocalSettings) -> Program:
        name = self.workload.name
        return Program(
            name=f"{name} app",
            arguments=application_arguments(self.workload, settings.project, settings.run_folder),
            environment={
                **settings.environment,
                "HOST": LOOPBACK,
                "PORT": str(next(iter(self.ports.application.values()))),
                "CONTROL_SOCKET": str(self.control_socket),
                "HTTP_PROXY": f"http://{LOOPBACK}:{self.ports.egress}",
                # Its Envoy has stopped before it: no request can arrive any more.
                "DRAIN_SECONDS": "0",
            },
            folder=settings.project,
        )

    def _proxy_node(self) -> ProxyNode:
        workload, ports = self.workload, self.ports
        return ProxyNode(
            mesh=workload.mesh,
            kind="virtualNode",
            name=workload.node,
            instance=workload.name,
            mode="explicit",
            address=LOOPBACK,
            cluster=workload.node,
            ports=tuple(sorted(ports.ingress.items())),
            application_ports=tuple(sorted(ports.application.items())),
            egress_port=ports.egress,
        )
