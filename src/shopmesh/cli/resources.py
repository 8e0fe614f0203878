"""`shopmesh apply` and `delete`: documents into the mesh, and out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shopmesh.cli.kinds import KindType
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.appmesh.manifests import Source
    from shopmesh.client import Applied

_STYLES = {"created": "green", "updated": "yellow", "deleted": "red"}
_WOULD = {"created": "would create", "updated": "would update", "deleted": "would delete"}


@click.command(
    epilog="""\b
Examples:
  shopmesh apply -f mesh/
  shopmesh apply -f mesh/product.yaml --dry-run
  kubectl get virtualnodes -A -o yaml | shopmesh apply -f -

\b
Everything is applied in one transaction, or nothing. Read are manifests (appmesh.k8s.aws/v1beta2) and the JSON of
`aws appmesh … --cli-input-json`; documents of other kinds are skipped. A router's manifest says all of its routes:
others of that router are deleted.
"""
)
@click.option("-f", "--filename", "files", multiple=True, required=True, metavar="FILE|DIR|-", help="Repeatable.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done; the control plane checks it all.")
@click.pass_obj
def apply(settings: Settings, files: tuple[str, ...], dry_run: bool) -> None:
    """Create or update what manifests or App Mesh JSON declare."""
    from shopmesh import client
    from shopmesh.cli.files import sources

    documents = sources(files)
    with settings.client() as control_plane:
        applied = client.apply(control_plane, documents, settings.mesh, dry_run)
    _tell(documents, applied, dry_run)


@click.command(
    epilog="""\b
Examples:
  shopmesh delete virtualnode product-v2-vn
  shopmesh delete -f mesh/

\b
A virtual router takes its routes along. What something else still uses is refused, and then nothing is deleted.
"""
)
@click.argument("kind", type=KindType(), required=False)
@click.argument("name", required=False)
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="Repeatable.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def delete(settings: Settings, kind: str | None, name: str | None, files: tuple[str, ...], dry_run: bool) -> None:
    """Delete resources, by KIND and NAME or by manifest."""
    from shopmesh import client
    from shopmesh.cli.files import sources
    from shopmesh.cli.finding import find

    if bool(files) == bool(kind) or bool(kind) != bool(name):
        raise click.UsageError("name what to delete, either by KIND and NAME or by -f")
    documents = sources(files)
    with settings.client() as control_plane:
        if kind is None or name is None:
            applied = client.delete(control_plane, documents, settings.mesh, dry_run)
        else:
            existing = client.everything(control_plane)
            mesh = name if kind == "mesh" else settings.the_mesh(control_plane)
            key = find([key for key in existing if key.mesh == mesh], kind, name)
            steps = client.deletion([existing[key][0]], existing)
            applied = client.perform(control_plane, steps, dry_run)
    _tell(documents, applied, dry_run)


def _tell(documents: list[Source], applied: Applied, dry_run: bool) -> None:
    from shopmesh.appmesh.manifests import foreign
    from shopmesh.client import label

    for source in documents:
        if (kind := foreign(source)) is not None:
            click.echo(f"skipped {kind} ({source.place()}): not App Mesh's", err=True)
    for step in applied.steps:
        verb = _WOULD.get(step.verb, step.verb) if dry_run else step.verb
        click.echo(f"{click.style(verb, fg=_STYLES.get(step.verb))} {label(step.resource.key)}")
    if not applied.steps:
        click.echo("nothing to do: the files declare no resource of App Mesh", err=True)
