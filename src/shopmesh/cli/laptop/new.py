"""`shopmesh new` and `shopmesh remove`: services of the user's own in a clone of the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopmesh.cli.output import echo

if TYPE_CHECKING:
    from shopmesh.new.file_transaction import FileTransaction
    from shopmesh.new.project import Project

_allow_dirty = click.option("--allow-dirty", is_flag=True, help="Run even if the clone has uncommitted changes.")


@click.command(
    epilog="""\b
Examples:
  shopmesh new inventory                      a service, version 1.0
  shopmesh new storefront --calls inventory   a service that calls it
  shopmesh new labels --language node         a service in JavaScript
  shopmesh new inventory --canary 2.0         a new version, weight 0

Creates code with tests, manifests in mesh/ and k8s/, and containers in compose/, and adds the service to every list
of services. If one file cannot be written, none is changed. docs/new-service.md describes the next steps.
"""
)
@click.argument("name")
@click.option("--calls", multiple=True, metavar="SERVICE", help="Service that it calls; repeatable.")
@click.option("--language", type=click.Choice(["python", "node"]), help="Programming language.  [default: python]")
@click.option("--canary", metavar="VERSION", help="Create this version of the existing service NAME.")
@_allow_dirty
def new(name: str, calls: tuple[str, ...], language: str | None, canary: str | None, allow_dirty: bool) -> None:
    """Create a service, or with --canary a new version of one, in this clone of the project."""
    from shopmesh.new import scaffold

    if canary and (calls or language):
        raise click.UsageError(
            "a new version has the language and the calls of its service: leave out --calls and --language"
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
  shopmesh remove order product customer   the whole demo; the mesh stays
  shopmesh remove product --canary 2.0     one version
"""
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--canary", metavar="VERSION", help="Remove only this version; it must have no weight in mesh/.")
@_allow_dirty
def remove(names: tuple[str, ...], canary: str | None, allow_dirty: bool) -> None:
    """Remove services and everything that `shopmesh new` creates for them.

    Refuses while another service calls one of them.
    """
    from shopmesh.new import scaffold

    if canary and len(names) > 1:
        raise click.UsageError("--canary names a version of one service: give one NAME")
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
        lines += [f"shopmesh apply -f mesh/{name}.yaml && shopmesh start {node}    (while the mesh runs)"]
        lines += [f"shopmesh canary {name} --to {node}"]
    else:
        lines += [f"shopmesh up --way-in {name}", "curl http://127.0.0.1:8080/", f"shopmesh new {name} --canary 2.0"]
    for line in lines:
        echo(f"  {line}")
