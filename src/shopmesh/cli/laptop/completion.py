"""`shopmesh completion`: the script by which a shell completes commands, options and kinds."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from shopmesh.cli.output import echo_document

VARIABLE = "_SHOPMESH_COMPLETE"


@click.command(
    epilog="""\b
bash, in ~/.bashrc:
  eval "$(shopmesh completion bash)"

\b
zsh, in ~/.zshrc, after compinit:
  eval "$(shopmesh completion zsh)"

\b
fish, once:
  shopmesh completion fish > ~/.config/fish/completions/shopmesh.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands, options and kinds of resources."""
    root = ctx.find_root()
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # click has all three
    echo_document(found(root.command, {}, root.info_name or "shopmesh", VARIABLE).source().rstrip("\n"))
