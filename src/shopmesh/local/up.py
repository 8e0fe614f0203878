"""`shopmesh up`: the whole mesh on this machine, in the foreground, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.client import meshes
from shopmesh.documents import Declared
from shopmesh.local import control
from shopmesh.local.errors import ControlError, StartError
from shopmesh.local.http import until
from shopmesh.local.mesh import operations
from shopmesh.local.mesh.from_manifests import (
    Gateway,
    Workload,
    arguments_of,
    chosen,
    promised,
    promised_gateways,
    read,
)
from shopmesh.local.mesh.local_mesh import WAY_IN, Machine
from shopmesh.local.mesh.resources import create, forget_instances
from shopmesh.local.processes.ports import Ports
from shopmesh.local.processes.shutdown import stopping, together, until_stopped
from shopmesh.local.processes.terminal import Terminal
from shopmesh.local.run_dir import RunFolder
from shopmesh.local.settings import resolved

_TRAFFIC_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """What `shopmesh up` was asked for; a port of 0 is any free one, and xDS has a socket where it has no port."""

    project: Path
    run_folder: Path
    environment: Mapping[str, str] = field(repr=False)
    port: int = 8080
    api_port: int = 9080
    xds_port: int | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    empty: bool = False
    reset: bool = False
    way_in: str = WAY_IN
    host_policy: HostPolicy = STRICT
    no_auth: bool = False


async def up(options: Options, terminal: Terminal, tell: Callable[[Machine, bool], None]) -> None:
    """Runs until a signal ends it; `tell` is called once it runs, with whether requests are answered.

    Raises StartError, ClientError and DocumentError when it cannot run; nothing is left running then.
    """
    resources = read(options.project / "mesh")
    promises: list[Workload | Gateway] = [*promised(resources), *promised_gateways(resources)]
    wanted = chosen(promises, options.only, options.without)
    workloads = [one for one in wanted if isinstance(one, Workload)]
    for workload in workloads:
        arguments_of(workload, options.project, options.run_folder)
    if options.way_in != WAY_IN and options.way_in not in {workload.service for workload in workloads}:
        raise StartError(f"{options.way_in!r}, which is to be the way in, is no service that runs: correct --way-in")
    folder = RunFolder.open(options.run_folder)
    try:
        if left := folder.clean():
            terminal.say(f"ended {left} processes that an earlier run had left")
        if options.reset:
            folder.forget_store()
        ports = Ports()
        settings = resolved(
            ports,
            options.project,
            folder.path,
            options.environment,
            options.port,
            options.api_port,
            options.xds_port,
            options.host_policy,
            options.no_auth,
        )
        machine = Machine(settings, ports, terminal, folder.record, options.way_in)
        with stopping(machine, terminal) as stop:
            try:
                machine.reserve([one for one in wanted if isinstance(one, Gateway)])
                await until_stopped(_run(machine, folder, resources, workloads, options, terminal, tell), stop)
            finally:
                await machine.close()
    finally:
        folder.close()


async def _run(
    machine: Machine,
    folder: RunFolder,
    resources: Sequence[Declared],
    workloads: Sequence[Workload],
    options: Options,
    terminal: Terminal,
    tell: Callable[[Machine, bool], None],
) -> None:
    loaded, _ = await together(
        prepare(machine, [] if options.empty else resources, options.empty), machine.start(workloads)
    )
    machine.open()
    answered = await _traffic(machine, loaded, options, terminal)
    # The first answer needs the first versions alone; weights that were set before may want the others too.
    for pair in machine.pairs.values():
        await operations.joined(machine.client, pair.workload)
    for gateway in machine.gateways:
        await operations.joined(machine.client, gateway)
    tell(machine, answered)
    await _warn(machine, terminal)

    async def answer(request: control.Request) -> control.Reply:
        if request.command == "stop":
            return await operations.stop(machine, f"{request.node}-{request.instance}")
        # Read anew: the manifest of a new version may have come since.
        known = promised(read(options.project / "mesh"))
        for workload in known:
            if workload.node == request.node:
                return await operations.start(machine, workload.numbered(request.instance))
        raise ControlError(
            f"no manifest in mesh/ has a virtual node {request.node} that says what to start; "
            f"these do: {', '.join(workload.node for workload in known)}"
        )

    async with control.listening(folder.socket, answer):
        await asyncio.Event().wait()


async def _warn(machine: Machine, terminal: Terminal) -> None:
    """Says last, and so visibly, what is wrong with the control plane itself, such as a store that lost changes."""
    for one in await asyncio.to_thread(machine.client.findings):
        if one["severity"] == "error" and not one["mesh"]:
            terminal.say(f"{one['severity']} {one['code']}: {one['where']} {one['what']}; {one['fix']}")


async def prepare(machine: Machine, resources: Sequence[Declared], empty: bool = False) -> bool:
    """Starts the control plane and tells it of the mesh, unless it has one; whether it was loaded now."""
    await machine.start_control_plane()
    loaded = await asyncio.to_thread(_load, machine, resources)
    machine.prepared.set()
    return loaded


def _load(machine: Machine, resources: Sequence[Declared]) -> bool:
    forget_instances(machine.client)
    mesh = next((resource.key.name for resource in resources if resource.key.kind == "mesh"), None)
    if mesh is None or mesh in meshes(machine.client):
        return False
    create(machine.client, resources)
    return True


async def _traffic(machine: Machine, loaded: bool, options: Options, terminal: Terminal) -> bool:
    """Waits until a request through the whole mesh is answered; whether one was.

    A mesh that was loaded now has to work. Another may be as its user wants it: that is only said.
    """
    if options.empty or not machine.ways_in:
        return False
    try:
        await until(machine.settings.port, "/", _TRAFFIC_SECONDS)
    except TimeoutError as error:
        what = f"{machine.settings.way_in} does not answer after {_TRAFFIC_SECONDS:g} s ({error})"
        if loaded and not options.only and not options.without:
            raise StartError(f"{what}: see the log above, or start anew with --reset") from None
        terminal.say(f"{what}; `shopmesh status` shows the mesh as it was left, --reset starts anew")
        return False
    return True
