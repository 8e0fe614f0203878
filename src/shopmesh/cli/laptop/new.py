"""`shopmesh new` and `shopmesh remove`: services of the user's own in a clone of the project."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Key
from shopmesh.cli.callers import ADVICE, NO_CALLER, uncalled_service
from shopmesh.cli.output import echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shopmesh.documents import DeclaredResource
    from shopmesh.new.file_transaction import FileTransaction
    from shopmesh.new.project import Clone

_allow_dirty = click.option(
    "--allow-dirty", is_flag=True, help="Run even if files that are changed have uncommitted changes."
)


@click.command(
    epilog="""\b
Examples:
  shopmesh init shop             in a new folder shop
  mkdir shop && cd shop && shopmesh init shop .

The folder has the demo's services to begin with, under names of its own: `shopmesh new` adds yours, and
`shopmesh remove order product customer` takes the demo's out.
"""
)
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def init(name: str, folder: Path | None) -> None:
    """Create a project of your own called NAME: services, mesh, tests, files for Compose and Kubernetes."""
    from shopmesh.build import this_build
    from shopmesh.files.demo import demo_folder
    from shopmesh.new.init import create_project

    demo, root = demo_folder(), folder or Path(name)
    if demo is None:
        raise click.ClickException("this installation has no demo to begin with: install shopmesh with pip")
    changes = create_project(root, name, demo, this_build().version)
    root.mkdir(parents=True, exist_ok=True)
    changes.apply(root)
    echo(f"{root}/ has the project {name}, {len(changes.created)} files. To try:")
    for line in (
        *([f"cd {shlex.quote(str(root))}"] if root != Path() else []),
        "git init --quiet && git add --all && git commit --quiet --message 'Begin'",
        "make test",
        "make up",
    ):
        echo(f"  {line}")


@click.command(
    epilog="""\b
Examples:
  shopmesh new inventory                      a service, version 1.0
  shopmesh new storefront --calls inventory   a service that calls it
  shopmesh new labels --language node         a service in JavaScript
  shopmesh new inventory --canary 2.0         a new version, weight 0
  shopmesh new storefront --way-in            the service, new or not, that is called from outside

Creates code with tests, manifests in mesh/ and k8s/, and containers in compose/, and adds the service to every list
of services. If one file cannot be written, none is changed. docs/new-service.md describes the next steps.
"""
)
@click.argument("name")
@click.option("--calls", multiple=True, metavar="SERVICE", help="Service that it calls; repeatable.")
@click.option("--language", type=click.Choice(["python", "node"]), help="Programming language.  [default: python]")
@click.option("--canary", metavar="VERSION", help="Create this version of the existing service NAME.")
@click.option("--way-in", is_flag=True, help="Make it the service that is called from outside; NAME may exist already.")
@_allow_dirty
def new(
    name: str, calls: tuple[str, ...], language: str | None, canary: str | None, way_in: bool, allow_dirty: bool
) -> None:
    """Create a service, or with --canary a new version of one, in this clone of the project."""
    from shopmesh.new import scaffold

    if canary and (calls or language or way_in):
        raise click.UsageError(
            "a new version has the language, the calls and the place of its service: "
            "leave out --calls, --language and --way-in"
        )
    clone = _clone()
    if canary:
        changes = scaffold.add_version(clone, name, canary)
    elif way_in and name in clone.services() and not (calls or language):
        changes = scaffold.choose_way_in(clone, name)
    else:
        changes = scaffold.add_service(clone, name, calls, language or scaffold.LANGUAGES[0], way_in)
    if not changes.edited:
        echo(f"{name} is the way in already: nothing was changed")
        return
    _apply_changes(changes, clone, allow_dirty)
    if canary:
        manifest = next(path for path in changes.created if path.startswith("k8s/base/"))
        _print_next_steps_of_canary(name, f"{Path(manifest).stem}-vn")
        _print_missing_caller(clone, f"{Path(manifest).stem}-vn")
    else:
        _print_next_steps(name, way_in)


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
    clone = _clone()
    changes = scaffold.remove_version(clone, names[0], canary) if canary else scaffold.remove_services(clone, names)
    leaving = scaffold.leaving_resources(clone, changes)
    _apply_changes(changes, clone, allow_dirty)
    _print_removal_from_running_mesh(names[0] if canary else None, leaving)


def _clone() -> Clone:
    from shopmesh.new.project import Clone

    clone = Clone(Path.cwd())
    clone.check()
    return clone


def _apply_changes(changes: FileTransaction, clone: Clone, allow_dirty: bool) -> None:
    if not allow_dirty:
        clone.check_committed([*changes.edited, *changes.removed])
    changes.apply(clone.root)
    for mark, paths in (("+", changes.created), ("~", changes.edited), ("-", changes.removed)):
        for path in sorted(paths):
            echo(f"{mark} {path}")


def _print_next_steps(name: str, way_in: bool) -> None:
    start = "shopmesh up" if way_in else f"shopmesh up --way-in {name}"
    _print_to_try(start, "curl http://127.0.0.1:8080/", f"shopmesh new {name} --canary 2.0")


def _print_next_steps_of_canary(name: str, node: str) -> None:
    _print_to_try(
        f"shopmesh apply -f mesh/{name}.yaml && shopmesh start {node}    (while the mesh runs)",
        f"shopmesh canary {name} --to {node}",
    )


def _print_missing_caller(clone: Clone, node: str) -> None:
    """Says that a canary gets no requests where nothing in the mesh calls its service."""
    resources = clone.resources()
    for route in resources:
        if route.key.kind == "route" and node in [target["virtualNode"] for target in weighted_targets(route.spec)]:
            service = uncalled_service(resources, Key("virtualRouter", route.key.parent))
            if service is not None:
                echo(f"{node} will get no request: {NO_CALLER.format(service=service)}; {ADVICE}")


def _print_removal_from_running_mesh(changed: str | None, leaving: Sequence[DeclaredResource]) -> None:
    """The commands for a mesh that runs, or ran; `changed` is the service that stays, without one of its versions."""
    from shopmesh.client import deletion_commands

    nodes = [resource.key.name for resource in leaving if resource.key.kind == "virtualNode"]
    echo()
    echo("A mesh that has run keeps its own copy. While it runs, take them out of it:")
    for line in (
        *([f"shopmesh apply -f mesh/{changed}.yaml"] if changed else []),
        *(f"shopmesh stop {node}" for node in nodes),
        *deletion_commands(leaving),
    ):
        echo(f"  {line}")


def _print_to_try(*lines: str) -> None:
    echo()
    echo("To try:")
    for line in ("git diff", "make check test-unit", *lines):
        echo(f"  {line}")
