"""`shopmesh keys`: creates the credentials of the API and the token of xDS."""

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
Examples:
  shopmesh keys --credentials api/credentials --xds-token xds/token
  shopmesh serve --credentials api/credentials --xds-token-file xds/token
"""
)
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File for the API's credentials, in the format of ~/.aws/credentials; readable by its owner.",
)
@click.option(
    "--xds-token",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File for the token of xDS; readable by its owner and group.",
)
def keys(credentials: Path, xds_token: Path) -> None:
    """Create random credentials for the API and a random token for xDS. Existing files are kept."""
    from shopmesh.server.config import new_credentials

    _create(credentials, new_credentials(), _OWNER)
    _create(xds_token, secrets.token_hex(32), _OWNER_AND_GROUP)


def _create(path: Path, content: str, mode: int) -> None:
    try:
        create_file(path, content, mode)
    except FileExistsError:
        echo(f"{path} exists already and was kept", err=True)
    except OSError as error:
        raise click.ClickException(f"cannot create {path}: {error.strerror}") from error
    else:
        echo(f"created {path}", err=True)
