"""One Envoy of this machine: what it starts with, whether it serves, and how it is told to let go."""

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
from shopmesh.local.http import ask, until
from shopmesh.local.processes.orphan_reaper import Guard
from shopmesh.local.processes.ports import LOOPBACK, Ports
from shopmesh.local.processes.supervisor import Keeper, Log, Program, ready_or_given_up
from shopmesh.local.run_dir import socket_path
from shopmesh.local.settings import Settings
from shopmesh.xds.bootstrap import BootstrapError, bootstrap
from shopmesh.xds.bootstrap.admin import DRAIN_LISTENERS
from shopmesh.xds.bootstrap.environment import Resource, options
from shopmesh.xds.node import ProxyNode

_POLL_SECONDS = 0.02
_GRACE_SECONDS = 3.0
_QUIET_POLLS = 3
_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"


class Envoy:
    """Kept running from `start` to `stop`, with an admin socket and a readiness port of its own."""

    def __init__(
        self, node: ProxyNode, settings: Settings, ports: Ports, guard: Guard, log: Log, version: str | None = None
    ) -> None:
        """`version` is what its application runs: spans say it. Raises StartError for a variable it cannot follow."""
        self.admin = socket_path(settings.run_folder, f"{node.instance}.admin")
        self.ready = ports.free()
        self._keeper = Keeper(self._program(node, settings, version), guard, log)

    def start(self) -> None:
        self._keeper.start()

    async def configured(self, seconds: float) -> bool:
        """Waits until Envoy has its first configuration. Raises StartError when it does not even stay up."""

        async def ready() -> None:
            with contextlib.suppress(TimeoutError):
                await until(self.ready, "/ready", seconds)

        await ready_or_given_up(self._keeper, asyncio.create_task(ready()))
        return await self._is_configured()

    async def drain(self, seconds: float) -> None:
        """Waits until no request that came in is under way, for so long at most."""
        quiet = 0
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(seconds):
                # Several times in a row: between two requests of a connection nothing is under way for a moment.
                while quiet < _QUIET_POLLS:
                    quiet = quiet + 1 if await self._under_way() == 0 else 0
                    await asyncio.sleep(_POLL_SECONDS)

    async def refuse_new(self) -> None:
        """Closes the listeners to new connections, and asks open ones to close after their answer."""
        with contextlib.suppress(OSError):
            await ask(self.admin, "/healthcheck/fail", "POST")
            await ask(self.admin, DRAIN_LISTENERS, "POST")

    async def stop(self) -> None:
        await self._keeper.stop(_GRACE_SECONDS)

    async def _is_configured(self) -> bool:
        try:
            return (await ask(self.ready, "/ready")).status == 200
        except OSError:
            return False

    async def _under_way(self) -> int:
        """Requests behind its own listeners; the admin interface counts them by host, whatever statistics are on."""
        answer = await ask(self.admin, "/clusters?format=json")
        return sum(
            int(statistic.get("value", 0))
            for cluster in json.loads(answer.body).get("cluster_statuses", ())
            if cluster["name"].startswith("cds_ingress_")
            for host in cluster.get("host_statuses", ())
            for statistic in host.get("stats", ())
            if statistic["name"] == "rq_active"
        )

    def _program(self, node: ProxyNode, settings: Settings, version: str | None) -> Program:
        environment = with_version(settings.environment, version)
        try:
            told = options(environment, Resource(node.mesh, node.kind, node.name), _no_file)
            # Whatever control plane the variables name, this mesh has its own.
            told = replace(told, xds_socket=_text(settings.xds_socket), admin_socket=str(self.admin))
            document = bootstrap(
                *(node, LOOPBACK, settings.xds_port or 0, 0, self.ready),
                token_file=_text(settings.xds_token_file),
                options=told,
            )
        except BootstrapError as error:
            raise StartError(str(error)) from error
        path = settings.run_folder / f"{node.instance}.json"
        write_private_file(path, json.dumps(document, indent=1))
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


def with_version(environment: Mapping[str, str], version: str | None) -> Mapping[str, str]:
    """The environment of an Envoy whose spans say a version, beside what the user wants them to say."""
    if version is None:
        return environment
    said = environment.get(_ATTRIBUTES)
    return {**environment, _ATTRIBUTES: f"{said},service.version={version}" if said else f"service.version={version}"}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _no_file(path: str) -> dict[str, Any]:
    raise BootstrapError(f"{path} would be merged into every Envoy's bootstrap; `shopmesh bootstrap` reads such files")
