"""`shopmesh wait`: until an instance takes requests, or takes none any more."""

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
Exit status: 0 it is so, and every Envoy has confirmed it; 1 it is not so in time.
"""
)
@click.argument("instance")
@click.option("--gone", is_flag=True, help="Until no caller sends to it any more.")
@click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(0, 3600), help="Seconds.")
@click.pass_obj
def wait(settings: Settings, instance: str, gone: bool, timeout: float) -> None:
    """Wait until INSTANCE is ready and known to all of its callers, or is gone from them."""
    deadline = time.monotonic() + timeout
    with settings.client() as client:
        mesh = settings.require_mesh(client)
        while _is_endpoint(client, mesh, instance) == gone:
            if time.monotonic() > deadline:
                raise click.ClickException(_explain_timeout(client, mesh, instance, gone, timeout))
            time.sleep(_POLL_SECONDS)
        if not _wait_confirmed(client, max(deadline - time.monotonic(), 1.0)):
            raise click.ClickException(f"not every Envoy has confirmed it after {timeout:g} s: see `shopmesh status`")
    echo(f"{instance} {'is gone from its callers' if gone else 'takes requests'}")


def _is_endpoint(client: Client, mesh: str, instance: str) -> bool:
    return any(
        proxy["declared"] for proxy in client.proxies() if (proxy["mesh"], proxy["instance"]) == (mesh, instance)
    )


def _wait_confirmed(client: Client, timeout: float) -> bool:
    """Whether every Envoy has what the mesh is now."""
    from shopmesh.client import ResponseError

    try:
        return client.wait_converged(client.changes(_NEWEST)["revision"], timeout)["converged"]
    except ResponseError:
        # A change that is not remembered any more concerned nobody who is there.
        return True


def _explain_timeout(client: Client, mesh: str, instance: str, gone: bool, timeout: float) -> str:
    if gone:
        return f"{instance} is still an endpoint after {timeout:g} s: stop it, or have it say that it is not ready"
    known = [proxy for proxy in client.proxies() if (proxy["mesh"], proxy["instance"]) == (mesh, instance)]
    if not known:
        there = ", ".join(sorted(proxy["instance"] for proxy in client.proxies())) or "none"
        return f"there is no instance {instance!r} after {timeout:g} s (there: {there}); correct it, or start it"
    return f"{instance} is not ready after {timeout:g} s: see its application's log, and `shopmesh status`"
