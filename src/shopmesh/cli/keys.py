"""`shopmesh keys`: what may speak to a control plane, made where there is none yet."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

import click

_OWNER = 0o400
_OWNER_AND_GROUP = 0o440


@click.command(
    epilog="""\b
Example:
  shopmesh keys --credentials api/credentials --xds-token xds/token
  shopmesh serve --credentials api/credentials --xds-token-file xds/token
"""
)
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File in the form of ~/.aws/credentials, for the API; its owner may read it.",
)
@click.option(
    "--xds-token",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File of the token for xDS; its owner and its group may read it.",
)
def keys(credentials: Path, xds_token: Path) -> None:
    """Make the API's credentials and the token for xDS, by chance; what is there is left alone."""
    from shopmesh.server.config import new_credentials

    _made(credentials, new_credentials(), _OWNER)
    _made(xds_token, secrets.token_hex(32), _OWNER_AND_GROUP)


def _made(path: Path, content: str, mode: int) -> None:
    """Whole or not at all, and never over another: somebody may read it, or make it, at the same time."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as scratch:
            scratch.write(content)
            scratch.flush()
            os.fchmod(scratch.fileno(), mode)
            os.link(scratch.name, path)
    except FileExistsError:
        click.echo(f"{path} is there already", err=True)
    except OSError as error:
        raise click.ClickException(f"cannot make {path}: {error.strerror}") from error
    else:
        click.echo(f"{path} made", err=True)
