"""Options that several commands have, with one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from shopmesh.local.access import RUN_FOLDER

F = TypeVar("F", bound=Callable[..., Any])

no_auth_option = click.option(
    "--no-auth",
    is_flag=True,
    help="Take requests without signatures: every program and every user of this machine may then read and change the "
    "mesh. Web pages of other sites still may not.",
)


def run_folder_option(help_text: str) -> Callable[[F], F]:
    """`--run-dir`: the folder of one control plane on this machine."""
    return click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=RUN_FOLDER,
        show_default=True,
        help=help_text,
    )
