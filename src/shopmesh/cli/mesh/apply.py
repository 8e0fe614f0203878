"""`shopmesh apply` and `delete`: documents into the mesh, and out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from shopmesh.cli.files import file_options, read_sources, report_skipped, template_parameters
from shopmesh.cli.kinds import KindType
from shopmesh.cli.output import Styled, echo
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.client import ApplyResult, PlanStep
    from shopmesh.documents import Source, TemplateOptions

EXIT_CHANGED = 3
"""The exit status of --exit-code when there is something to change; 1 and 2 mean that it failed."""

_STYLES = {"created": "green", "updated": "yellow", "deleted": "red"}
_DRY_RUN_VERBS = {"created": "would create", "updated": "would update", "deleted": "would delete"}
_DIFF_STYLES = {"@": "cyan", "+": "green", "-": "red"}


@click.command(
    epilog="""\b
Examples:
  shopmesh apply -f mesh/
  shopmesh apply -f mesh/product.yaml --dry-run --diff
  shopmesh apply -f mesh/ --offline
  shopmesh apply -f shop.template.yaml --parameter Environment=test
  kubectl get virtualnodes -A -o yaml | shopmesh apply -f -

\b
Everything is applied in one transaction, or nothing. Read are manifests (appmesh.k8s.aws/v1beta2), the JSON of
`aws appmesh … --cli-input-json`, and CloudFormation templates; what is not App Mesh's is skipped, and said. A
router's manifest says all of its routes: others of that router are deleted.

\b
Exit status: 0 done, or nothing wrong; 1 it failed, and nothing was changed; 2 the command line is wrong;
3 with --exit-code: something was changed, or would be.
"""
)
@file_options
@click.option("--dry-run", is_flag=True, help="Only say what would be done; the control plane checks it all.")
@click.option("--diff", is_flag=True, help="Show what changes, as a diff of the manifests.")
@click.option("--offline", is_flag=True, help="Only check the documents, without a control plane.")
@click.option("--new", is_flag=True, help="Only if the mesh does not exist yet: one that does is left as it is.")
@click.option("--exit-code", is_flag=True, help=f"Exit with {EXIT_CHANGED} when there is something to change.")
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
    """Create or update what manifests, App Mesh JSON or templates declare."""
    from shopmesh import client

    if not files:
        raise click.UsageError("name the documents by -f")
    if offline and (diff or exit_code or new):
        raise click.UsageError("--offline knows no mesh to compare with; leave out --diff, --exit-code and --new")
    documents, values = read_sources(files), template_parameters(parameters, settings.region)
    if offline:
        _check_offline(settings, documents, values)
        return
    with settings.client() as control_plane:
        applied = client.apply(control_plane, documents, settings.mesh, dry_run, values, new)
    if new and not applied.steps:
        echo("the mesh is there already: left as it is")
        return
    report_skipped(documents)
    if diff:
        _print_diff(client.diff(applied.before, applied.steps))
    _print_steps(applied, dry_run)
    if exit_code and applied.changed:
        raise SystemExit(EXIT_CHANGED)


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
@file_options
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def delete(
    settings: Settings,
    kind: str | None,
    name: str | None,
    files: tuple[str, ...],
    parameters: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Delete resources, by KIND and NAME or by the documents that declare them."""
    from shopmesh import client
    from shopmesh.cli.resolve_name import resolve

    if bool(files) == bool(kind) or bool(kind) != bool(name):
        raise click.UsageError("name what to delete, either by KIND and NAME or by -f")
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
        echo(Styled("valid", fg="green"), f" {client.label(resource.key)}")
    for finding in checked.findings:
        echo(f"{finding.severity} {finding.code}: {finding.where}: {finding.what}; {finding.type.fix}", err=True)
    if not checked.resources:
        echo("nothing to check: the files declare no resource of App Mesh", err=True)


def _print_diff(lines: Iterable[str]) -> None:
    for line in lines:
        echo(Styled(line, fg=_DIFF_STYLES.get(line[:1]), bold=line.startswith(("---", "+++")) or None))


def _print_steps(applied: ApplyResult, dry_run: bool) -> None:
    for step in applied.steps:
        echo(*_format_step(step, dry_run))
    if not applied.steps:
        echo("nothing to do: the files declare no resource of App Mesh", err=True)


def _format_step(step: PlanStep, dry_run: bool) -> tuple[Styled, str]:
    from shopmesh.client import label

    verb = _DRY_RUN_VERBS.get(step.verb, step.verb) if dry_run else step.verb
    return Styled(verb, fg=_STYLES.get(step.verb)), f" {label(step.resource.key)}"
