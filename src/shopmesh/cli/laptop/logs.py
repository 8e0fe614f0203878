"""`shopmesh logs`: what the programs of `shopmesh up` have printed."""

from __future__ import annotations

from pathlib import Path

import click

from shopmesh.cli.options import run_folder_option
from shopmesh.cli.output import echo
from shopmesh.local.access import nearest_run_folder


@click.command(
    epilog="""\b
Examples:
  shopmesh logs product-v2-vn
  shopmesh logs order-vn-1 --lines 20
  shopmesh logs control-plane
  shopmesh logs                          of all programs

Unlike the terminal of `shopmesh up`, it shows a line for every request.
In containers use `docker compose logs`, in a cluster `kubectl logs`.
"""
)
@click.argument("node", required=False)
@click.option("--lines", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Number of lines.")
@run_folder_option("Folder of the running mesh.", nearest_run_folder)
def logs(node: str | None, lines: int, run_dir: Path) -> None:
    """Show the last log lines of NODE, a virtual node or one instance of it: its application and its Envoy."""
    from shopmesh.cli.suggestions import suggest
    from shopmesh.local.processes.log_file import LOG_FILE, read_last_lines

    file = run_dir / LOG_FILE
    try:
        found = read_last_lines(file, node, lines)
    except FileNotFoundError as error:
        raise click.ClickException(f"there is no log {file}: start a mesh with `shopmesh up`") from error
    if node is not None and not found.lines:
        raise click.ClickException(f"{file} has no line of {node!r}; {suggest(node, found.nodes)}")
    for line in found.lines:
        echo(line)
