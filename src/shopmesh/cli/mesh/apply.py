"""`shopmesh apply` and `delete`: create, update and delete the resources that files declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from shopmesh.cli.files import FilesCommand, file_options, read_sources, report_skipped, template_parameters
from shopmesh.cli.kinds import KindType
from shopmesh.cli.output import StyledText, echo, echo_diff
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.client import ApplyResult, PlanStep
    from shopmesh.documents import Source, TemplateOptions

EXIT_CHANGED = 3
"""Exit status of --exit-code when there is something to change; 1 and 2 are failures."""

_STYLES = {"created": "green", "updated": "yellow", "deleted": "red"}
_DRY_RUN_VERBS = {"created": "would create", "updated": "would update", "deleted": "would delete"}


@click.command(
    cls=FilesCommand,
    epilog="""\b
Examples:
  shopmesh apply -f mesh/
  shopmesh apply -f mesh/product.yaml --dry-run --diff
  shopmesh apply -f mesh/ --offline
  shopmesh apply -f shop.template.yaml --parameter Environment=test
  kubectl get virtualnodes -A -o yaml | shopmesh apply -f -

Accepts manifests (appmesh.k8s.aws/v1beta2), the JSON of `aws appmesh … --cli-input-json`, and CloudFormation
templates. Other kinds of resources are skipped with a message. All changes are one transaction: if one is refused,
none is made. A virtual router's manifest lists all of its routes, so routes that it does not list are deleted.

\b
Exit status:
  0  success
  1  failure; nothing was changed
  2  invalid command line
  3  with --exit-code only: something was changed, or would be
""",
)
@file_options
@click.option("--dry-run", is_flag=True, help="Print what would change; the control plane validates it.")
@click.option("--diff", is_flag=True, help="Show the changes as a diff of manifests.")
@click.option("--offline", is_flag=True, help="Only validate the files; needs no control plane.")
@click.option("--new", is_flag=True, help="Apply only if the mesh does not exist yet.")
@click.option("--exit-code", is_flag=True, help=f"Exit with status {EXIT_CHANGED} if anything changes.")
@click.pass_obj
def apply(
    settings: Settings,
    files: tuple[str, ...],
    parameters: tuple[str, ...],
    dry_run: bool,
    diff: bool,
    offline: bool,
    new: bool,
    exit_code: bool,
) -> None:
    """Create or update the resources that files declare."""
    from shopmesh import client

    if not files:
        raise click.UsageError("name the files with -f FILE")
    if offline and (diff or exit_code or new):
        raise click.UsageError("--offline has no mesh to compare with; leave out --diff, --exit-code and --new")
    documents, values = read_sources(files), template_parameters(parameters, settings.region)
    if offline:
        _check_offline(settings, documents, values)
        return
    with settings.client() as control_plane:
        applied = client.apply(control_plane, documents, settings.mesh, dry_run, values, new)
    if new and not applied.steps:
        echo("the mesh exists already; nothing was changed")
        return
    report_skipped(documents)
    if diff:
        echo_diff(client.diff(applied.before, applied.steps))
    _print_steps(applied, dry_run)
    if exit_code and applied.changed:
        raise SystemExit(EXIT_CHANGED)


@click.command(
    cls=FilesCommand,
    epilog="""\b
Examples:
  shopmesh delete virtualnode product-v2-vn
  shopmesh delete -f mesh/

\b
Deleting a virtual router deletes its routes. If another resource still uses one of the resources, none is deleted.
""",
)
@click.argument("kind", type=KindType(), required=False)
@click.argument("name", required=False)
@file_options
@click.option("--dry-run", is_flag=True, help="Print what would be deleted.")
@click.pass_obj
def delete(
    settings: Settings,
    kind: str | None,
    name: str | None,
    files: tuple[str, ...],
    parameters: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Delete the resource KIND NAME, or all resources that files declare."""
    from shopmesh import client
    from shopmesh.cli.resolve_name import resolve

    if bool(files) == bool(kind) or bool(kind) != bool(name):
        raise click.UsageError("give either KIND and NAME, or -f FILE")
    documents = read_sources(files)
    with settings.client() as control_plane:
        if kind is None or name is None:
            values = template_parameters(parameters, settings.region)
            applied = client.delete(control_plane, documents, settings.mesh, dry_run, values)
        else:
            existing = client.all_resources(control_plane)
            mesh = name if kind == "mesh" else settings.require_mesh(control_plane)
            key = resolve([key for key in existing if key.mesh == mesh], kind, name)
            steps = client.plan_deletion([existing[key][0]], existing)
            applied = client.perform(control_plane, steps, dry_run)
    report_skipped(documents)
    _print_steps(applied, dry_run)


def _check_offline(settings: Settings, documents: Sequence[Source], values: TemplateOptions) -> None:
    from shopmesh import client

    checked = client.check(documents, settings.mesh, values)
    report_skipped(documents)
    for note in checked.notes:
        echo(f"note: {note}", err=True)
    for resource in checked.resources:
        echo(StyledText("valid", fg="green"), f" {client.label(resource.key)}")
    for finding in checked.findings:
        echo(f"{finding.severity} {finding.code}: {finding.where}: {finding.what}; {finding.type.fix}", err=True)
    if not checked.resources:
        echo("nothing to check: the files declare no App Mesh resource", err=True)


def _print_steps(applied: ApplyResult, dry_run: bool) -> None:
    for step in applied.steps:
        echo(*_format_step(step, dry_run))
    if not applied.steps:
        echo("nothing to do: the files declare no App Mesh resource", err=True)


def _format_step(step: PlanStep, dry_run: bool) -> tuple[StyledText, str]:
    from shopmesh.client import label

    verb = _DRY_RUN_VERBS.get(step.verb, step.verb) if dry_run else step.verb
    return StyledText(verb, fg=_STYLES.get(step.verb)), f" {label(step.resource.key)}"
