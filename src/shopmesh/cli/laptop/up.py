"""`shopmesh up`, `start`, `stop` and `demo`: a whole mesh on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from shopmesh import defaults
from shopmesh.cli.operator.host_policy import host_policy_options
from shopmesh.cli.options import console_option, no_auth_option, run_folder_option
from shopmesh.cli.output import echo
from shopmesh.cli.settings import Settings
from shopmesh.local.access import default_run_folder, nearest_run_folder

if TYPE_CHECKING:
    from shopmesh.appmesh.host_policy import HostPolicy

_run_folder = run_folder_option("Folder for the store, access key, log and sockets.")
_running_folder = run_folder_option("Run folder of the running mesh.", nearest_run_folder)


@click.command(
    epilog="""\b
Examples:
  shopmesh up
  shopmesh up --empty --reset           let the tutorial's scripts create it
  shopmesh up --without product-v2-vn   start that version later by `start`
  shopmesh up --way-in storefront       a service of your own in front

Runs in the foreground and prints what to try next. It loads the manifests in mesh/, or those of the demo where the
folder has no mesh/. If the store has a mesh already, it loads what is new in them, and says how the store differs
otherwise. Ctrl-C stops everything in order; press it again to force.
`shopmesh logs` reads its log file, which has a line for every request.
"""
)
@click.option("--empty", is_flag=True, help="Do not load mesh/; workloads wait until a mesh is created.")
@click.option("--reset", is_flag=True, help="Delete what earlier runs stored.")
@click.option("--port", default=defaults.WAY_IN_PORT, show_default=True, help="Port of the way in; 0 for a free one.")
@click.option(
    "--api-port", default=defaults.API_PORT, show_default=True, help="Port of the App Mesh API; 0 for a free one."
)
@click.option(
    "--xds-port",
    type=int,
    help="Port of xDS, 0 for a free one; proxies need the xds-token of the run folder.  [default: a socket there]",
)
@click.option(
    "--workload",
    "only",
    multiple=True,
    metavar="NAME",
    help="Run only this virtual node, gateway or service; repeatable.",
)
@click.option(
    "--without", multiple=True, metavar="NAME", help="Do not run this virtual node, gateway or service; repeatable."
)
@click.option(
    "--way-in",
    metavar="SERVICE",
    help="Service that receives the requests to --port.  [default: the one that mesh/ labels as the way in]",
)
@click.option(
    "--requests", is_flag=True, help="Show a line for every request, not only for failed, slow and retried ones."
)
@console_option("on")
@host_policy_options
@no_auth_option
@_run_folder
def up(
    empty: bool,
    reset: bool,
    port: int,
    api_port: int,
    xds_port: int | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    way_in: str | None,
    requests: bool,
    console_mode: str | None,
    no_auth: bool,
    run_dir: Path,
    host_policy: HostPolicy,
) -> None:
    """Run a whole mesh on this machine: control plane, services and an Envoy for each."""
    from shopmesh.local import summary
    from shopmesh.local.mesh.local_mesh import LocalMesh
    from shopmesh.local.processes.log_file import LOG_FILE
    from shopmesh.local.processes.terminal import Terminal
    from shopmesh.local.project import find_project
    from shopmesh.local.up import UpOptions
    from shopmesh.local.up import up as run_up
    from shopmesh.output.console import lossy_console

    console = lossy_console()
    project = find_project(Path.cwd(), run_dir)
    if project.is_demo:
        echo("There is no mesh/ in this folder: running the demo's mesh. `shopmesh init` makes a project of your own.")
    options = UpOptions(
        project=project.folder,
        run_folder=run_dir,
        environment=dict(os.environ),
        port=port,
        api_port=api_port,
        xds_port=xds_port,
        only=only,
        without=without,
        empty=empty,
        reset=reset,
        host_policy=host_policy,
        way_in=way_in,
        no_auth=no_auth,
        console=console_mode or "on",
    )

    def print_summary(mesh: LocalMesh, answered: bool, link: str | None) -> None:
        folder = str(run_dir) if run_dir != default_run_folder(Path.cwd()) else None
        summary.show(console, mesh, answered, folder, link)

    log = run_dir.absolute() / LOG_FILE
    with contextlib.closing(Terminal(console, log, show_requests=requests)) as terminal:
        asyncio.run(run_up(options, terminal, print_summary))


@click.command()
@click.argument("node")
@click.option("--instance", default=1, show_default=True, type=click.IntRange(1, 50), help="Number of the instance.")
@_running_folder
def start(node: str, instance: int, run_dir: Path) -> None:
    """Start a workload in the running mesh; NODE is its virtual node, such as product-v2-vn, or product/2.0.

    Returns when all callers of the workload know it.
    """
    _send_command("start", node, instance, run_dir)


@click.command()
@click.argument("node")
@click.option("--instance", default=1, show_default=True, type=click.IntRange(1, 50), help="Number of the instance.")
@_running_folder
def stop(node: str, instance: int, run_dir: Path) -> None:
    """Stop a workload of the running mesh; NODE is its virtual node, such as product-v2-vn, or product/2.0.

    Its callers stop sending requests to it before it ends, so none is lost.
    """
    _send_command("stop", node, instance, run_dir)


def _send_command(command: str, node: str, instance: int, run_dir: Path) -> None:
    from shopmesh.local.control import ControlRequest, send

    reply = send(run_dir.absolute() / "control.sock", ControlRequest(command, node, instance))
    for line in reply.done:
        echo(line)
    for warning in reply.warnings:
        echo(f"Warning: {warning}", err=True)


@click.command(
    epilog="""\b
Examples:
  shopmesh demo
  shopmesh demo --rate 100 --port 0
  shopmesh demo --rollback    release a bad version and see it rolled back
  shopmesh demo --way-in http://127.0.0.1:8080    use the mesh that runs there

Exit status: 0 no request failed and every share is as configured; 1 otherwise.
"""
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 5000),
    help="Requests per second.  [default: 70 % of what this machine can answer, at most 200]",
)
@click.option(
    "--seconds",
    default=0.0,
    type=click.FloatRange(0, 3600),
    help="Minimum duration of each stage.  [default: as long as the statistics need; --rollback: 15]",
)
@click.option("--port", default=defaults.WAY_IN_PORT, show_default=True, help="Port of the way in; 0 for a free one.")
@click.option(
    "--api-port",
    default=0,
    help="Port of the App Mesh API, to watch with other commands.  [default: a free one]",
)
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for store, access key and log.  [default: a temporary one]",
)
@click.option(
    "--way-in",
    metavar="URL",
    envvar="SHOPMESH_WAY_IN",
    show_envvar=True,
    help="Use the running mesh of --endpoint-url, and send requests to this URL.",
)
@click.option(
    "--rollback", is_flag=True, help="Release a bad version, first by hand and then as a canary, and compare."
)
@click.pass_obj
def demo(
    settings: Settings,
    rate: float | None,
    seconds: float,
    port: int,
    api_port: int,
    run_dir: Path | None,
    way_in: str | None,
    rollback: bool,
) -> None:
    """Run the webinar: three services, two canary releases under load, and a verdict."""
    import tempfile

    from shopmesh.local.demo.run import DemoOptions, run_demo, run_demo_in, run_rollback_demo
    from shopmesh.local.project import find_manifests, find_project
    from shopmesh.output.console import lossy_console

    if rollback and way_in is not None:
        raise click.UsageError("--rollback injects faults and so needs a mesh of its own: leave out --way-in")

    console = lossy_console()
    with contextlib.ExitStack() as stack:
        if way_in is not None:
            client, project = stack.enter_context(settings.client()), find_manifests(Path.cwd())
            passed = asyncio.run(run_demo_in(client, _check_url(way_in), project, rate, seconds, console))
            raise SystemExit(0 if passed else 1)
        folder = run_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shopmesh-demo-")))
        project = find_project(Path.cwd(), folder).folder
        options = DemoOptions(project, folder, dict(os.environ), port, api_port, rate, seconds)
        passed = asyncio.run((run_rollback_demo if rollback else run_demo)(options, console))
    if not passed:
        raise SystemExit(1)


def _check_url(url: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname and not parts.path.strip("/"):
            return f"http://{parts.netloc}/"
    raise click.BadParameter(f"{url!r} is not of the form http://HOST:PORT", param_hint="--way-in")
