"""One Envoy of this machine: its bootstrap, its readiness, and how it drains."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shopmesh.files.private_files import write_private_file
from shopmesh.local.errors import StartError
from shopmesh.local.http import send_request, wait_until_ok
from shopmesh.local.processes.orphan_reaper import OrphanReaper
from shopmesh.local.processes.ports import LOOPBACK, Ports
from shopmesh.local.processes.supervisor import ProcessLog, Program, Supervisor, wait_until_ready
from shopmesh.local.run_dir import socket_path
from shopmesh.local.settings import LocalSettings
from shopmesh.xds.bootstrap import BootstrapError, bootstrap_document
from shopmesh.xds.bootstrap.admin import DRAIN_LISTENERS
from shopmesh.xds.bootstrap.environment import ProxyOwner, options
from shopmesh.xds.node import ProxyNode

_POLL_SECONDS = 0.02
_GRACE_SECONDS = 3.0
_QUIET_POLLS = 3
_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"


class Envoy:
    """Supervised from `start` to `stop`, with its own admin socket and readiness port."""

    def __init__(
        self,
        node: ProxyNode,
        settings: LocalSettings,
        ports: Ports,
        reaper: OrphanReaper,
        log: ProcessLog,
        version: str | None = None,
    ) -> None:
        """`version` is the application's, for spans. Raises StartError for an invalid environment variable."""
        self.admin_socket = socket_path(settings.run_folder, f"{node.instance}.admin")
        self.ready_port = ports.reserve_free()
        self._supervisor = Supervisor(self._program(node, settings, version), reaper, log)

    def start(self) -> None:
        self._supervisor.start()

    async def wait_until_configured(self, seconds: float) -> bool:
        """Waits until Envoy has its first configuration. Raises StartError when it does not even stay up."""

        async def ready() -> None:
            with contextlib.suppress(TimeoutError):
                await wait_until_ok(self.ready_port, "/ready", seconds)

        await wait_until_ready(self._supervisor, asyncio.create_task(ready()))
        return await self._is_configured()

    async def drain(self, seconds: float) -> None:
        """Waits until no incoming request is active, at most `seconds`."""
        quiet = 0
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(seconds):
                # Several times in a row: between two requests of a connection none is active for a moment.
                while quiet < _QUIET_POLLS:
                    quiet = quiet + 1 if await self._active_requests() == 0 else 0
                    await asyncio.sleep(_POLL_SECONDS)

    async def refuse_new(self) -> None:
        """Closes the listeners to new connections, and open connections after their response."""
        with contextlib.suppress(OSError):
            await send_request(self.admin_socket, "/healthcheck/fail", "POST")
            await send_request(self.admin_socket, DRAIN_LISTENERS, "POST")

    async def stop(self) -> None:
        await self._supervisor.stop(_GRACE_SECONDS)

    def kill(self) -> None:
        """Ends it at once; `stop` then waits for its end."""
        self._supervisor.kill()

    async def _is_configured(self) -> bool:
        try:
            return (await send_request(self.ready_port, "/ready")).status == 200
        except OSError:
            return False

    async def _active_requests(self) -> int:
        """The number of active incoming requests; the admin interface counts them whatever statistics are enabled."""
        answer = await send_request(self.admin_socket, "/clusters?format=json")
        return sum(
            int(statistic.get("value", 0))
            for cluster in json.loads(answer.body).get("cluster_statuses", ())
            if cluster["name"].startswith("cds_ingress_")
            for host in cluster.get("host_statuses", ())
            for statistic in host.get("stats", ())
            if statistic["name"] == "rq_active"
        )

    def _program(self, node: ProxyNode, settings: LocalSettings, version: str | None) -> Program:
        environment = with_service_version(settings.environment, version)
        try:
            overrides = options(environment, ProxyOwner(node.mesh, node.kind, node.name), _refuse_file)
            # The variables may name another control plane; this mesh has its own.
            overrides = replace(
                overrides, xds_socket=_path_text(settings.xds_socket), admin_socket=str(self.admin_socket)
            )
            document = bootstrap_document(
                *(node, LOOPBACK, settings.xds_port or 0, 0, self.ready_port),
                token_file=_path_text(settings.xds_token_file),
                options=overrides,
            )
        except BootstrapError as error:
            raise StartError(str(error)) from error
        path = settings.run_folder / f"{node.instance}.json"
        try:
            write_private_file(path, json.dumps(document, indent=1))
        except OSError as error:
            raise StartError(f"cannot write {path}: {error.strerror}") from error
        return Program(
            name=f"{node.instance} envoy",
            arguments=(
                *(str(settings.envoy), "--config-path", str(path)),
                # Several Envoys on one host would share hot restart's socket and memory.
                "--disable-hot-restart",
                *("--concurrency", "1", "--log-level", "warning"),
            ),
            environment=environment,
            folder=settings.project,
        )


def with_service_version(environment: Mapping[str, str], version: str | None) -> Mapping[str, str]:
    """Adds the service's version to the attributes of Envoy's spans."""
    if version is None:
        return environment
    said = environment.get(_ATTRIBUTES)
    return {**environment, _ATTRIBUTES: f"{said},service.version={version}" if said else f"service.version={version}"}


def _path_text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _refuse_file(path: str) -> dict[str, Any]:
    raise BootstrapError(f"{path} would be merged into every Envoy's bootstrap; `shopmesh bootstrap` reads such files")
