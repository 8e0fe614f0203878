"""`shopmesh status`: services, weights, traffic, proxies and findings on one screen."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from shopmesh.cli.output import echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.cli.views.status_view import MeshStatus
    from shopmesh.client import Client

REFRESH_SECONDS = 1.0


@click.command(
    epilog="""\b
Examples:
  shopmesh status
  shopmesh status --watch
  shopmesh status -o json | jq .findings

\b
Columns:
  WEIGHT   configured weight of the version
  SEEN     share of the requests that it received within --window, or since
           its route has changed, counted by the callers' Envoys
  95 %     confidence interval of SEEN
  PROXIES  Envoys in sync: they have confirmed their whole configuration
"""
)
@click.option("-w", "--watch", is_flag=True, help="Refresh every second until Ctrl-C.")
@click.option(
    "--window", default=10.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds of traffic to count."
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def status(settings: Settings, watch: bool, window: float, output: str) -> None:
    """Show services with the weights and traffic of their versions, proxies, and findings."""
    from shopmesh.cli.views.status_view import render
    from shopmesh.cli.views.tables import console, show

    if watch and (output == "json" or not console(settings.color).is_terminal):
        raise click.UsageError("--watch needs a terminal and -o table; in scripts, run `shopmesh status` repeatedly")
    with settings.client() as client:
        mesh = settings.require_mesh(client)
        if watch:
            _watch(client, mesh, window, settings)
            return
        found = _read_status(client, mesh, window)
        if output == "json":
            echo_document(json.dumps(found.to_document(), indent=2))
        else:
            show(render(found, console(settings.color).width), settings.color)


def _read_status(client: Client, mesh: str, window: float) -> MeshStatus:
    from shopmesh.cli.views.status_view import MeshStatus
    from shopmesh.client import read_mesh

    return MeshStatus(
        mesh=mesh,
        endpoint=client.endpoint_url,
        resources=read_mesh(client, mesh),
        splits=client.splits(mesh, window),
        proxies=[proxy for proxy in client.proxies() if proxy["mesh"] == mesh],
        findings=client.findings(mesh),
    )


def _watch(client: Client, mesh: str, window: float, settings: Settings) -> None:
    """Refreshes every second; retries while the control plane is unreachable."""
    from rich.live import Live
    from rich.text import Text

    from shopmesh.cli.views.status_view import render
    from shopmesh.cli.views.tables import console
    from shopmesh.client import UnreachableError

    try:
        with Live(console=console(settings.color), auto_refresh=False, screen=True) as live:
            while True:
                try:
                    live.update(render(_read_status(client, mesh, window), live.console.width), refresh=True)
                except UnreachableError as error:
                    live.update(Text(f"{error} (retrying)", style="red"), refresh=True)
                time.sleep(REFRESH_SECONDS)
    except KeyboardInterrupt:
        return
