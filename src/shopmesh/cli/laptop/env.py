"""`shopmesh env`: environment variables that point `aws` at the mesh of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from shopmesh.cli.options import run_folder_option
from shopmesh.cli.output import echo_document
from shopmesh.local.access import API_VERSIONS, LATEST, AccessFiles, nearest_run_folder

UNSET_VARIABLES = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"),
    *("AWS_DEFAULT_REGION", "AWS_DEFAULT_OUTPUT"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_APP_MESH", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
)
"""Variables that are meant for AWS itself, or that take precedence over the two files.

https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
"""


@click.command(
    epilog="""\b
Examples:
  eval "$(shopmesh env)"                bash, zsh and other POSIX shells
  shopmesh env --shell fish | source    fish

\b
For the webinar's own scripts, which use the preview version of the API:
  eval "$(shopmesh env --api-version 2018-10-01)"

Afterwards `aws appmesh …`, every AWS SDK and shopmesh itself talk to the control plane of the run folder, but only in
this terminal. Your own AWS configuration is not changed.
"""
)
@run_folder_option("Run folder of `shopmesh up` or `shopmesh serve`.", nearest_run_folder)
@click.option(
    "--api-version",
    type=click.Choice(API_VERSIONS),
    default=LATEST,
    show_default=True,
    help="Version of App Mesh's API that `aws` uses.",
)
@click.option(
    "--shell",
    type=click.Choice(["sh", "fish"]),
    default="sh",
    show_default=True,
    help="Shell that will read the output; sh suits bash, zsh and every POSIX shell.",
)
def env(run_dir: Path, api_version: str, shell: str) -> None:
    """Print environment variables that point `aws` at the mesh of this machine, for `eval`."""
    access = AccessFiles(run_dir.absolute())
    found = access.served_endpoint()
    if found is None:
        # `eval` of nothing succeeds, and the next `aws` would go to the user's own account.
        echo_document("false")
        raise click.ClickException(
            f"no control plane has run in {run_dir} yet, so nothing was set, and `aws` still uses your own account: "
            "start one with `shopmesh up`, or name another folder with --run-dir"
        )
    variables = {
        "AWS_CONFIG_FILE": str(access.config_file(api_version)),
        "AWS_SHARED_CREDENTIALS_FILE": str(access.credentials_file),
        "AWS_REGION": found.region,
        "SHOPMESH_ENDPOINT_URL": found.url,
    }
    echo_document((_format_fish if shell == "fish" else _format_posix)(variables, UNSET_VARIABLES))


def _format_posix(variables: Mapping[str, str], unset: Iterable[str]) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([f"unset {' '.join(unset)}", *lines])


def _format_fish(variables: Mapping[str, str], unset: Iterable[str]) -> str:
    # https://fishshell.com/docs/current/language.html#quotes
    quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in variables.items()}
    lines = [f"set --erase {name}" for name in unset]
    return "\n".join([*lines, *(f"set --global --export {name} '{value}'" for name, value in quoted.items())])
