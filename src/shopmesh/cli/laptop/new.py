"""`shopmesh new` and `shopmesh remove`: one's own services in a clone of the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopmesh.cli.output import echo

if TYPE_CHECKING:
    from shopmesh.new.file_transaction import FileTransaction
    from shopmesh.new.project import Project

_allow_dirty = click.option("--allow-dirty", is_flag=True, help="Also where there are changes that are not committed.")


@click.command(
    epilog="""\b
Examples:
  shopmesh new inventory                     a service, its first version
  shopmesh new storefront --calls inventory  one that calls it
  shopmesh new labels --language node        one in JavaScript, with a Dockerfile of its own
  shopmesh new inventory --canary 2.0        a later version of what is there, without a weight yet

\b
A service is code and its tests, manifests in mesh/ and k8s/, containers in compose/, and a line in each list.
All of it is made, or nothing is changed. docs/new-service.md goes on from there.
"""
)
@click.argument("name")
@click.option("--calls", multiple=True, metavar="SERVICE", help="A service that it calls; repeatable.")
@click.option("--language", type=click.Choice(["python", "node"]), help="What it is written in.  [default: python]")
@click.option("--canary", metavar="VERSION", help="Make a later version of the service NAME, which is there.")
@_allow_dirty
def new(name: str, calls: tuple[str, ...], language: str | None, canary: str | None, allow_dirty: bool) -> None:
    """Make a service, or with --canary a later version of one, in this clone of the project."""
    from shopmesh.new import scaffold

    if canary and (calls or language):
        raise click.UsageError(
            "a later version is written in its service's language, and calls whom it calls: give --canary alone"
        )
    clone = _clone(allow_dirty)
    if canary:
        changes = scaffold.add_version(clone, name, canary)
    else:
        changes = scaffold.add_service(clone, name, calls, language or scaffold.LANGUAGES[0])
    _apply_changes(changes, clone)
    node = next(path for path in changes.created if path.startswith("k8s/base/") and "kustomization" not in path)
    _print_next_steps(name, f"{Path(node).stem}-vn", canary)


@click.command(
    epilog="""\b
Examples:
  shopmesh remove inventory
  shopmesh remove order product customer    the whole demo: an empty mesh is left
  shopmesh remove product --canary 2.0      one version
"""
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--canary", metavar="VERSION", help="Only this later version; it must have no weight in mesh/.")
@_allow_dirty
def remove(names: tuple[str, ...], canary: str | None, allow_dirty: bool) -> None:
    """Take services out again, all that `shopmesh new` makes of one; refused when another service calls them."""
    from shopmesh.new import scaffold

    if canary and len(names) > 1:
        raise click.UsageError("--canary is a version of one service: name one")
    clone = _clone(allow_dirty)
    changes = scaffold.remove_version(clone, names[0], canary) if canary else scaffold.remove_services(clone, names)
    _apply_changes(changes, clone)


def _clone(allow_dirty: bool) -> Project:
    from shopmesh.new.project import Project

    clone = Project(Path.cwd())
    clone.check(allow_dirty)
    return clone


def _apply_changes(changes: FileTransaction, clone: Project) -> None:
    changes.apply(clone.root)
    for mark, paths in (("+", changes.created), ("~", changes.edited), ("-", changes.removed)):
        for path in sorted(paths):
            echo(f"{mark} {path}")


def _print_next_steps(name: str, node: str, canary: str | None) -> None:
    echo()
    echo("To try:")
    lines = ["git diff", "make check test-unit"]
    if canary:
        lines += [f"shopmesh apply -f mesh/{name}.yaml && shopmesh start {node}    (in a mesh that runs)"]
        lines += [f"shopmesh canary {name} --to {node}"]
    else:
        lines += [f"shopmesh up --way-in {name}", "curl http://127.0.0.1:8080/", f"shopmesh new {name} --canary 2.0"]
    for line in lines:
        echo(f"  {line}")
