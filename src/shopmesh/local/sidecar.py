"""One workload as two programs: its application on gunicorn, and the Envoy before it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass

from shopmesh.local.errors import StartError
from shopmesh.local.guard import Guard
from shopmesh.local.http import ask, until
from shopmesh.local.keeper import Keeper, Log, Program, ready_or_given_up
from shopmesh.local.ports import LOOPBACK, Ports
from shopmesh.local.settings import Settings
from shopmesh.local.workloads import Workload, module_of
from shopmesh.xds.bootstrap import bootstrap
from shopmesh.xds.node import ProxyNode

_POLL_SECONDS = 0.01
_READY_SECONDS = 30.0
_ENVOY_GRACE_SECONDS = 3.0
_APPLICATION_GRACE_SECONDS = 3.0
_QUIET_POLLS = 3


@dataclass(frozen=True, slots=True)
class SidecarPorts:
    """Where one workload's programs listen on loopback; `ingress` and `application` by the virtual node's port.

    `control` is the application's own port for faults and readiness.
    """

    ingress: dict[int, int]
    application: dict[int, int]
    egress: int
    admin: int
    ready: int
    control: int


class Pair:
    """A workload's application and sidecar, started in this order and stopped in the other."""

    def __init__(
        self, workload: Workload, settings: Settings, ports: Ports, guard: Guard, log: Log, way_in: int | None
    ) -> None:
        """`way_in` is the port that ingress binds; a free one is taken for None."""
        self.workload = workload
        self._log = log
        self.ports = SidecarPorts(
            ingress={port: way_in or ports.free() for port in workload.ports},
            application={port: ports.free() for port in workload.ports},
            egress=ports.free(),
            admin=ports.free(),
            ready=ports.free(),
            control=ports.free(),
        )
        self.application = Keeper(self._application(settings), guard, log)
        self.sidecar = Keeper(self._sidecar(settings), guard, log)

    async def start(self, control_plane: asyncio.Event) -> None:
        """Starts the application, waits until it is ready, then starts its Envoy, once the control plane is there.

        In this order, because an Envoy that runs is an instance that others send requests to. Raises StartError when
        the application does not come up.
        """
        self.application.start()
        await ready_or_given_up(self.application, asyncio.create_task(self._application_ready()))
        await control_plane.wait()
        self.sidecar.start()

    async def configured(self, seconds: float) -> bool:
        """Waits until Envoy has its first configuration. Raises StartError when it does not even stay up."""

        async def ready() -> None:
            with contextlib.suppress(TimeoutError):
                await until(self.ports.ready, "/ready", seconds)

        await ready_or_given_up(self.sidecar, asyncio.create_task(ready()))
        return await self.is_configured()

    async def is_configured(self) -> bool:
        """Whether Envoy serves now."""
        try:
            return (await ask(self.ports.ready, "/ready")).status == 200
        except OSError:
            return False

    async def drain(self, seconds: float) -> None:
        """Waits until no request is under way at the application, for so long at most."""
        quiet = 0
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(seconds):
                # Several times in a row: between two requests of a connection nothing is under way for a moment.
                while quiet < _QUIET_POLLS:
                    quiet = quiet + 1 if await self._under_way() == 0 else 0
                    await asyncio.sleep(2 * _POLL_SECONDS)

    async def refuse_new(self) -> None:
        """Closes Envoy's listeners to new connections, and asks open ones to close after their answer."""
        with contextlib.suppress(OSError):
            await ask(self.ports.admin, "/healthcheck/fail", "POST")
            await ask(self.ports.admin, "/drain_listeners?inboundonly", "POST")

    async def stop(self) -> None:
        """Ends Envoy, then the application."""
        await self.sidecar.stop(_ENVOY_GRACE_SECONDS)
        await self.application.stop(_APPLICATION_GRACE_SECONDS)

    async def _application_ready(self) -> None:
        port = next(iter(self.ports.application.values()))
        try:
            answer = await until(port, "/readyz", _READY_SECONDS)
        except TimeoutError:
            raise StartError(
                f"{self.application.program.name} is not ready after {_READY_SECONDS:g} s "
                f"(http://{LOOPBACK}:{port}/readyz)"
            ) from None
        said = answer.headers.get("x-service-version", "nothing")
        if said != self.workload.promise:
            self._log.say(
                f"{self.workload.node} promises {self.workload.promise} by its labels, but its application says "
                f"{said}: correct the labels, or the version in its code"
            )

    async def _under_way(self) -> int:
        """Requests between Envoy and the application; the admin port counts them by host, whatever stats are on."""
        answer = await ask(self.ports.admin, "/clusters?format=json")
        return sum(
            int(statistic.get("value", 0))
            for cluster in json.loads(answer.body).get("cluster_statuses", ())
            if cluster["name"].startswith("cds_ingress_")
            for host in cluster.get("host_statuses", ())
            for statistic in host.get("stats", ())
            if statistic["name"] == "rq_active"
        )

    def _application(self, settings: Settings) -> Program:
        module = module_of(self.workload, settings.project)
        name = self.workload.name
        return Program(
            name=f"{name} app",
            arguments=(
                *(sys.executable, "-m", "gunicorn"),
                *("-c", "services/gunicorn.conf.py"),
                # Names the run folder, by which a later `up` knows this process for one of its own.
                *("--pid", str(settings.run_folder / f"{name}.pid")),
                f"{module}:create_app()",
            ),
            environment={
                **settings.environment,
                "HOST": LOOPBACK,
                "PORT": str(next(iter(self.ports.application.values()))),
                "CONTROL_PORT": str(self.ports.control),
                "HTTP_PROXY": f"http://{LOOPBACK}:{self.ports.egress}",
                # Its Envoy is gone when it is asked to stop: there is nobody who could still send it anything.
                "DRAIN_SECONDS": "0",
            },
            folder=settings.project,
        )

    def _sidecar(self, settings: Settings) -> Program:
        workload, ports = self.workload, self.ports
        node = ProxyNode(
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
        document = bootstrap(node, LOOPBACK, settings.xds_port, ports.admin, ports.ready)
        path = settings.run_folder / f"{workload.name}.json"
        path.write_text(json.dumps(document, indent=1))
        return Program(
            name=f"{workload.name} envoy",
            arguments=(
                *(str(settings.envoy), "--config-path", str(path)),
                # Several Envoys on one host would share hot restart's socket and memory.
                "--disable-hot-restart",
                *("--concurrency", "1", "--log-level", "warning"),
            ),
            environment=settings.environment,
            folder=settings.project,
        )
