"""Options that several commands share, with one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from shopmesh.local.access import RUN_FOLDER, default_run_folder

F = TypeVar("F", bound=Callable[..., Any])

no_auth_option = click.option(
    "--no-auth",
    is_flag=True,
    help="Accept unsigned requests: every program and user of this machine can then read and change the mesh. Requests "
    "from web pages of other sites are still refused.",
)

CONSOLE_MODES = ("off", "read-only", "on")


def console_option(default: str) -> Callable[[F], F]:
    """`--console`; `default` describes the default."""
    return click.option(
        "--console",
        "console_mode",
        type=click.Choice(CONSOLE_MODES),
        help=f"What the pages at /console/ of the API's port may do: nothing, show, or change the mesh.  [default: "
        f"{default}]",
    )


def run_folder_option(help_text: str, find: Callable[[Path], Path] = default_run_folder) -> Callable[[F], F]:
    """`--run-dir`: the folder of one control plane on this machine; `find` returns the default for a working folder."""
    where = "in a project" if find is default_run_folder else "of this folder or the nearest one above"
    return click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: find(Path.cwd()),
        show_default=f"{RUN_FOLDER} {where}, elsewhere the user's state folder",
        help=help_text,
    )
