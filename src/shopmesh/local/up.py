"""`shopmesh up`: the whole mesh on this machine, in the foreground, until a signal stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shopmesh import defaults
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Key
from shopmesh.client import Client, ClientError
from shopmesh.documents import DeclaredResource
from shopmesh.local import control
from shopmesh.local.access import MANIFESTS
from shopmesh.local.errors import ControlError, StartError
from shopmesh.local.http import wait_until_ok
from shopmesh.local.mesh import operations
from shopmesh.local.mesh.from_manifests import (
    Gateway,
    Workload,
    application_arguments,
    gateways_of,
    read_manifests,
    select,
    way_in_of,
    workloads_of,
)
from shopmesh.local.mesh.loading import LoadResult, display_path, load
from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.mesh.resources import withdraw_disconnected
from shopmesh.local.processes.ports import Ports
from shopmesh.local.processes.shutdown import run_both, run_until_stopped, stop_on_signals
from shopmesh.local.processes.terminal import Terminal
from shopmesh.local.run_dir import RunFolder
from shopmesh.local.settings import resolve_settings

_FIRST_ANSWER_SECONDS = 20.0
_CONSOLE_LINK_SECONDS = 600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of `shopmesh up`; port 0 means a free one; without `xds_port`, xDS has a socket.

    Without `way_in` it is the service that mesh/ gives the label of the way in.
    """

    project: Path
    run_folder: Path
    environment: Mapping[str, str] = field(repr=False)
    port: int = defaults.WAY_IN_PORT
    api_port: int = defaults.API_PORT
    xds_port: int | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    empty: bool = False
    reset: bool = False
    way_in: str | None = None
    host_policy: HostPolicy = STRICT
    no_auth: bool = False
    console: str = "on"


OnRunning = Callable[[LocalMesh, bool, str | None], None]
"""Is called once the mesh runs: with whether requests are answered, and a link to the console, None if it is off."""


async def up(options: UpOptions, terminal: Terminal, on_running: OnRunning) -> None:
    """Runs until a signal ends it.

    Raises StartError, ClientError and DocumentError when it cannot run; nothing is left running then.
    """
    resources = read_manifests(options.project / "mesh")
    runnables: list[Workload | Gateway] = [*workloads_of(resources), *gateways_of(resources)]
    wanted = select(runnables, options.only, options.without)
    workloads = [one for one in wanted if isinstance(one, Workload)]
    for workload in workloads:
        application_arguments(workload, options.project, options.run_folder)
    if options.way_in is not None and options.way_in not in {workload.service for workload in workloads}:
        raise StartError(f"{options.way_in!r}, which is to be the way in, is not a service that runs: correct --way-in")
    way_in = options.way_in or way_in_of(resources)
    folder = RunFolder.open(options.run_folder)
    try:
        if left := folder.end_leftover_processes():
            terminal.say(f"ended {left} processes of an earlier run")
        if options.reset:
            folder.delete_store()
        ports = Ports()
        settings = resolve_settings(
            ports,
            options.project,
            folder.path,
            options.environment,
            options.port,
            options.api_port,
            options.xds_port,
            options.host_policy,
            options.no_auth,
            options.console,
        )
        mesh = LocalMesh(settings, ports, terminal, folder.record_groups, way_in)
        with stop_on_signals(mesh, terminal) as stop:
            try:
                mesh.add_gateways([one for one in wanted if isinstance(one, Gateway)])
                await run_until_stopped(_run(mesh, folder, resources, workloads, options, terminal, on_running), stop)
            finally:
                await mesh.close()
    finally:
        folder.close()


async def _run(
    mesh: LocalMesh,
    folder: RunFolder,
    resources: Sequence[DeclaredResource],
    workloads: Sequence[Workload],
    options: UpOptions,
    terminal: Terminal,
    on_running: OnRunning,
) -> None:
    def load_mesh(client: Client) -> LoadResult | None:
        if options.empty:
            return None
        found = load(client, resources, folder.read_known_keys(), display_path(options.project / MANIFESTS))
        folder.record_known_keys(found.known)
        return found

    loaded, _ = await run_both(prepare_control_plane(mesh, load_mesh), mesh.start_workloads(workloads))
    for note in loaded.notes if loaded else ():
        terminal.say(note)
    mesh.start_gateways()
    answered = await _wait_for_first_answer(mesh, loaded, options, terminal)
    # The first answer needs only the first versions; weights of an earlier run may need the others too.
    for processes in mesh.workloads.values():
        await operations.wait_until_joined(mesh.client, processes.workload)
    for gateway in mesh.gateways:
        await operations.wait_until_joined(mesh.client, gateway)

    async def handle(request: control.ControlRequest) -> control.ControlReply:
        if request.command == "stop":
            running = [processes.workload for processes in mesh.workloads.values()]
            node = next((one.node for one in running if one.service_version == request.node), request.node)
            return await operations.stop_workload(mesh, f"{node}-{request.instance}")
        # Read again: the manifest of a new version may have been added.
        known = workloads_of(read_manifests(options.project / "mesh"))
        for workload in known:
            if request.node in (workload.node, workload.service_version):
                return await operations.start_workload(mesh, workload.with_instance(request.instance))
        raise ControlError(
            f"mesh/ has no virtual node {request.node} with labels of a service and a version; "
            f"there are {', '.join(workload.node for workload in known)}"
        )

    # Who reads that the mesh runs may send `shopmesh start` at once.
    async with control.control_server(folder.socket, handle):
        on_running(mesh, answered, await _link_to_console(mesh, terminal))
        await _report_control_plane_errors(mesh, terminal)
        await asyncio.Event().wait()


async def _link_to_console(mesh: LocalMesh, terminal: Terminal) -> str | None:
    """A link that signs a browser in; None if the console is off."""
    if mesh.settings.console == "off":
        return None
    try:
        return await asyncio.to_thread(mesh.client.console_link, _CONSOLE_LINK_SECONDS)
    except ClientError as error:
        terminal.say(f"there is no link to the console: {error}")
        return None


async def _report_control_plane_errors(mesh: LocalMesh, terminal: Terminal) -> None:
    """Reports errors of the control plane itself last, such as a store that lost changes, so that they are seen."""
    try:
        findings = await asyncio.to_thread(mesh.client.findings)
    except ClientError as error:
        # It may have just ended; it is started again, and the mesh runs on.
        terminal.say(f"the control plane did not say what is wrong: {error}")
        return
    for one in findings:
        if one["severity"] == "error" and not one["mesh"]:
            terminal.say(f"{one['severity']} {one['code']}: {one['where']} {one['what']}; {one['fix']}")


async def prepare_control_plane(mesh: LocalMesh, load_mesh: Callable[[Client], T]) -> T:
    """Starts the control plane, loads the mesh, and lets proxies in; returns what `load_mesh` returns."""

    def prepare() -> T:
        withdraw_disconnected(mesh.client)
        return load_mesh(mesh.client)

    await mesh.start_control_plane()
    loaded = await asyncio.to_thread(prepare)
    mesh.control_plane_ready.set()
    return loaded


async def _wait_for_first_answer(
    mesh: LocalMesh, loaded: LoadResult | None, options: UpOptions, terminal: Terminal
) -> bool:
    """Waits until a request through the whole mesh is answered; returns whether one was.

    A mesh that was created now must work. The user may have changed an earlier one: that is only reported.
    """
    nodes = {Key("virtualNode", (one.workload.mesh, one.workload.node)) for one in mesh.ways_in}
    if loaded is None or nodes <= loaded.missing:
        return False
    try:
        await wait_until_ok(mesh.settings.port, "/", _FIRST_ANSWER_SECONDS)
    except TimeoutError as error:
        what = f"{mesh.settings.way_in} does not answer after {_FIRST_ANSWER_SECONDS:g} s ({error})"
        if loaded.created and not options.only and not options.without:
            raise StartError(f"{what}: see the log above, or start anew with --reset") from None
        terminal.say(f"{what}; `shopmesh status` shows the mesh as it was left, --reset starts anew")
        return False
    return True
