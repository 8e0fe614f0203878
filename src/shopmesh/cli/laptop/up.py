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
from shopmesh.cli.options import no_auth_option, run_folder_option
from shopmesh.cli.output import echo
from shopmesh.cli.settings import Settings
from shopmesh.local.access import RUN_FOLDER

if TYPE_CHECKING:
    from shopmesh.appmesh.host_policy import HostPolicy

_run_folder = run_folder_option("Folder of the store, the access key, the log and the control socket.")


@click.command(
    epilog="""\b
Examples:
  shopmesh up
  shopmesh up --empty --reset            the tutorial's own scripts build the mesh
  shopmesh up --without product-v2-vn    start it later: shopmesh start product-v2-vn
  shopmesh up --way-in storefront        one's own service in front
"""
)
@click.option("--empty", is_flag=True, help="Load no mesh: workloads and sidecars wait for one.")
@click.option("--reset", is_flag=True, help="Forget what earlier runs stored.")
@click.option("--port", default=defaults.ENTRY_PORT, show_default=True, help="The way in; 0 for any free port.")
@click.option("--api-port", default=defaults.API_PORT, show_default=True, help="The App Mesh API; 0 for any free port.")
@click.option(
    "--xds-port",
    type=int,
    help="A port for xDS instead of a socket in the run folder: proxies bring its xds-token. 0 for any free port.",
)
@click.option("--workload", "only", multiple=True, metavar="NAME", help="Only this virtual node, gateway or service.")
@click.option("--without", multiple=True, metavar="NAME", help="Not this virtual node, gateway or service.")
@click.option("--way-in", default="order", show_default=True, metavar="SERVICE", help="The service at --port.")
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
    way_in: str,
    no_auth: bool,
    run_dir: Path,
    host_policy: HostPolicy,
) -> None:
    """Run the whole mesh on this machine, in the foreground."""
    from shopmesh.local import summary
    from shopmesh.local.mesh.local_mesh import LocalMesh
    from shopmesh.local.processes.terminal import Terminal
    from shopmesh.local.up import UpOptions
    from shopmesh.local.up import up as run_up
    from shopmesh.output.console import PlainConsole

    console = PlainConsole()
    options = UpOptions(
        project=Path.cwd(),
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
    )

    def print_summary(mesh: LocalMesh, answered: bool) -> None:
        summary.show(console, mesh, answered, str(run_dir) if run_dir != RUN_FOLDER else None)

    with contextlib.closing(Terminal(console, run_dir.absolute() / "shopmesh.log")) as terminal:
        asyncio.run(run_up(options, terminal, print_summary))


@click.command()
@click.argument("node")
@click.option("--instance", default=1, show_default=True, type=click.IntRange(1, 50), help="Which of several.")
@_run_folder
def start(node: str, instance: int, run_dir: Path) -> None:
    """Start a workload of the running mesh: NODE is its virtual node."""
    _send_command("start", node, instance, run_dir)


@click.command()
@click.argument("node")
@click.option("--instance", default=1, show_default=True, type=click.IntRange(1, 50), help="Which of several.")
@_run_folder
def stop(node: str, instance: int, run_dir: Path) -> None:
    """Stop a workload of the running mesh without losing a request."""
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
  shopmesh demo --rollback                        a bad version is turned back
  shopmesh demo --way-in http://127.0.0.1:8080    in the mesh that runs there
"""
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 5000),
    help="Requests a second; without it half of what this machine carries, and at most 200.",
)
@click.option(
    "--seconds",
    default=0.0,
    type=click.FloatRange(0, 3600),
    help="How long each stage lasts at least; without it, as long as the statistics need (--rollback: 15).",
)
@click.option("--port", default=defaults.ENTRY_PORT, show_default=True, help="The way in; 0 for any free port.")
@click.option(
    "--api-port",
    default=0,
    help="The App Mesh API, to watch along; any free port without it. Its key is in --run-dir.",
)
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep store and log in this folder; without it they are gone with the demo.",
)
@click.option(
    "--way-in",
    metavar="URL",
    envvar="SHOPMESH_WAY_IN",
    show_envvar=True,
    help="Play in the mesh that --endpoint-url names, which runs already and takes requests there.",
)
@click.option("--rollback", is_flag=True, help="Play the second act: a bad version, and what it costs.")
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
    """Play the webinar: three services, two canary releases under load, and a verdict.

    The exit status is 0 only if not one request failed and every share is what it was set to be.
    """
    import tempfile

    from shopmesh.local.demo.run import DemoOptions, run_demo, run_demo_in, run_rollback_demo
    from shopmesh.output.console import PlainConsole

    if rollback and way_in is not None:
        raise click.UsageError("--rollback makes a version fail, and does that on a machine of its own: no --way-in")

    console = PlainConsole()
    with contextlib.ExitStack() as stack:
        if way_in is not None:
            client = stack.enter_context(settings.client())
            passed = asyncio.run(run_demo_in(client, _check_url(way_in), Path.cwd(), rate, seconds, console))
            raise SystemExit(0 if passed else 1)
        folder = run_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shopmesh-demo-")))
        options = DemoOptions(Path.cwd(), folder, dict(os.environ), port, api_port, rate, seconds)
        passed = asyncio.run((run_rollback_demo if rollback else run_demo)(options, console))
    if not passed:
        raise SystemExit(1)


def _check_url(url: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname and not parts.path.strip("/"):
            return f"http://{parts.netloc}/"
    raise click.BadParameter(f"{url!r} is not of the form http://HOST:PORT", param_hint="--way-in")
