"""`shopmesh keys`: what may speak to a control plane, made where there is none yet."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from shopmesh.cli.output import echo
from shopmesh.files.private_files import create_file

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

    _create(credentials, new_credentials(), _OWNER)
    _create(xds_token, secrets.token_hex(32), _OWNER_AND_GROUP)


def _create(path: Path, content: str, mode: int) -> None:
    try:
        create_file(path, content, mode)
    except FileExistsError:
        echo(f"{path} is there already", err=True)
    except OSError as error:
        raise click.ClickException(f"cannot make {path}: {error.strerror}") from error
    else:
        echo(f"{path} made", err=True)
