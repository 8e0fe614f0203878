"""The summary once the mesh runs: what runs where, and what to try next."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.processes.ports import LOOPBACK
from shopmesh.output.console import PlainTable


def show(console: Console, mesh: LocalMesh, answered: bool, run_folder: str | None, link: str | None = None) -> None:
    """Prints the summary; `run_folder` is None for the default one, `link` opens the console of the mesh."""
    table = PlainTable(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("workload", "answers as", "application", "sidecar"):
        table.add_column(heading, no_wrap=True)
    for name, processes in sorted(mesh.workloads.items()):
        ports = processes.ports
        table.add_row(
            name,
            processes.workload.service_version,
            ", ".join(f":{port}" for port in ports.application.values()),
            ", ".join(f":{port}" for port in ports.ingress.values()),
        )
    for gateway in mesh.gateways:
        ports_of = ", ".join(f":{port}" for port in gateway.ports)
        table.add_row(gateway.name, "gateway", "", ports_of)
    console.print()
    if answered:
        state, way_in = ("The mesh runs.", "bold green"), " The way in is "
    else:
        state, way_in = ("The workloads run.", "bold"), " The way in will be "
    console.print(Text.assemble(state, way_in, (mesh.settings.way_in, "bold")))
    xds = mesh.settings.xds_socket
    where = f"{LOOPBACK}:{mesh.settings.xds_port}" if xds is None else _relative_path(xds)
    console.print(
        Text.assemble("The App Mesh API is ", (mesh.settings.endpoint, "bold"), f", xDS {where}"), soft_wrap=True
    )
    if link is not None:
        once = " (once, within ten minutes; `shopmesh console` makes another)" if "#" in link else ""
        console.print(Text.assemble("The console is ", (link, "bold"), once), soft_wrap=True)
    console.print()
    console.print(table)
    console.print()
    console.print("To try, in another terminal:")
    for line in _next_commands(mesh, answered, run_folder):
        console.print(f"  {line}", soft_wrap=True)
    logs = f"shopmesh logs{_run_folder_option(run_folder)}"
    console.print(
        f"Below are requests that fail, are slow or are retried; `{logs}` has all of them, --requests shows them here.",
        soft_wrap=True,
    )
    console.print("Ctrl-C stops everything.")
    console.print()


def _next_commands(mesh: LocalMesh, answered: bool, run_folder: str | None) -> list[str]:
    folder = _run_folder_option(run_folder)
    # Nothing follows on the line: an interactive zsh takes a comment for arguments.
    lines = [f'eval "$(shopmesh env{folder})"']
    if not answered:
        return [*lines, "shopmesh apply -f mesh/", f"curl {mesh.settings.way_in}"]
    lines += [f"curl {mesh.settings.way_in}", "shopmesh status"]
    workloads = sorted(
        (processes.workload for processes in mesh.workloads.values()), key=lambda one: (one.service, one.version)
    )
    first = {workload.service: workload.node for workload in reversed(workloads)}
    canaries = [workload for workload in workloads if workload.node != first[workload.service]]
    if canaries:
        last = canaries[-1]
        lines += [f"shopmesh route {last.service} {last.node}=50", f"shopmesh stop {last.node}{folder}"]
    if mesh.workloads:
        one = next(iter(mesh.workloads.values()))
        for socket, url in ((one.sidecar.admin_socket, "envoy/clusters"), (one.control_socket, "localhost/faults")):
            lines.append(f"curl --unix-socket {shlex.quote(_relative_path(socket))} http://{url}")
    return lines


def _run_folder_option(run_folder: str | None) -> str:
    return f" --run-dir {shlex.quote(run_folder)}" if run_folder else ""


def _relative_path(path: Path) -> str:
    """Relative to the working folder if below it: the summary is for this terminal."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
