"""`shopmesh version`: which version runs here, and which the control plane is."""

from __future__ import annotations

import platform

import click

from shopmesh.build import this_build
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings


@click.command()
@click.pass_obj
def version(settings: Settings) -> None:
    """Print the versions of this command, of Envoy and Python, and that of the control plane if it answers."""
    from shopmesh.client import ClientError

    echo_document(describe_build())
    with settings.client() as client:
        try:
            found = client.health().get("version") or "of a version that does not report itself"
            echo(f"control plane  {found}, at {settings.endpoint_url}")
        except ClientError:
            echo(f"control plane  does not answer at {settings.endpoint_url}")


def describe_build() -> str:
    """What runs here, a line each: shopmesh with its revision, the Envoy that it is made for, Python and its system."""
    from shopmesh.local.mesh.envoy_binary import required_envoy_version

    version, revision = this_build()
    lines = {
        "shopmesh": f"{version}, revision {revision}",
        "Envoy": required_envoy_version(),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    }
    return "\n".join(f"{name:<13}  {text}" for name, text in lines.items())
