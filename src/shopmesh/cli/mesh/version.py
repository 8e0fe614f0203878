"""`shopmesh version`: which version runs here, and which the control plane is."""

from __future__ import annotations

from importlib.metadata import version as package_version

import click

from shopmesh.cli.output import echo
from shopmesh.cli.settings import Settings


@click.command()
@click.pass_obj
def version(settings: Settings) -> None:
    """Print the version of this command, and that of the control plane if it answers."""
    from shopmesh.client import ClientError

    echo(f"shopmesh       {package_version('shopmesh')}")
    with settings.client() as client:
        try:
            found = client.health().get("version") or "of a version that does not report itself"
            echo(f"control plane  {found}, at {settings.endpoint_url}")
        except ClientError:
            echo(f"control plane  does not answer at {settings.endpoint_url}")
