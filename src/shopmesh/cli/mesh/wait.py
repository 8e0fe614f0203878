"""`shopmesh wait`: waits until an instance receives requests, or no longer does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from shopmesh.cli.output import echo
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.client import Client

_POLL_SECONDS = 0.05
_NEWEST = 1 << 52


@click.command(
    epilog="""\b
Examples:
  shopmesh wait product-vn-1
  shopmesh wait product-vn-1 --gone --timeout 30

\b
Exit status: 0 every Envoy has confirmed it; 1 timed out; 2 invalid command line.
"""
)
@click.argument("instance")
@click.option("--gone", is_flag=True, help="Wait until no caller sends requests to it any more.")
@click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(0, 3600), help="Seconds to wait.")
@click.pass_obj
def wait(settings: Settings, instance: str, gone: bool, timeout: float) -> None:
    """Wait until INSTANCE is ready and all of its callers know it, or with --gone the opposite."""
    deadline = time.monotonic() + timeout
    with settings.client() as client:
        mesh = settings.require_mesh(client)
        while _is_endpoint(client, mesh, instance) == gone:
            if time.monotonic() > deadline:
                raise click.ClickException(_explain_timeout(client, mesh, instance, gone, timeout))
            time.sleep(_POLL_SECONDS)
        if not _wait_confirmed(client, max(deadline - time.monotonic(), 1.0)):
            raise click.ClickException(
                f"not every Envoy confirmed it within {timeout:g} s; `shopmesh status` shows which"
            )
    echo(f"{instance} {'no longer receives requests' if gone else 'receives requests'}")


def _is_endpoint(client: Client, mesh: str, instance: str) -> bool:
    return any(
        proxy["declared"] for proxy in client.proxies() if (proxy["mesh"], proxy["instance"]) == (mesh, instance)
    )


def _wait_confirmed(client: Client, timeout: float) -> bool:
    """Waits until every Envoy has confirmed the present configuration; False when the time is over."""
    from shopmesh.client import ResponseError

    try:
        return client.wait_converged(client.changes(_NEWEST)["revision"], timeout)["converged"]
    except ResponseError:
        # The control plane has forgotten the change, as no connected proxy needs it.
        return True


def _explain_timeout(client: Client, mesh: str, instance: str, gone: bool, timeout: float) -> str:
    if gone:
        return f"{instance} is still an endpoint after {timeout:g} s; stop it, or let its readiness check fail"
    known = [proxy for proxy in client.proxies() if (proxy["mesh"], proxy["instance"]) == (mesh, instance)]
    if not known:
        there = ", ".join(sorted(proxy["instance"] for proxy in client.proxies())) or "none"
        return f"no instance {instance!r} after {timeout:g} s (there: {there}); correct the name, or start it"
    return f"{instance} is not ready after {timeout:g} s; see its application's log and `shopmesh status`"
