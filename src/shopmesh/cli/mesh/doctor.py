"""`shopmesh doctor`: findings about a mesh, about files, and about this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, cast

import click

from shopmesh.cli.files import FilesCommand, file_options, read_sources, report_skipped, template_parameters
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.appmesh.catalogue import Finding
    from shopmesh.appmesh.store import Key
    from shopmesh.client import Client
    from shopmesh.client import FindingDocument as Answer

_MISSING_FIELDS: Answer = {
    "code": "",
    "severity": "warning",
    "mesh": "",
    "kind": "",
    "path": [],
    "where": "",
    "what": "",
    "why": "",
    "fix": "",
    "docs": "docs/doctor.md",
}


@click.command(
    cls=FilesCommand,
    epilog="""\b
Examples:
  shopmesh doctor                      check the mesh and this machine
  shopmesh doctor -f mesh/ --strict    check files only, for pipelines
  shopmesh doctor -o json | jq -r '.findings[].code'

Each finding has a code; docs/doctor.md explains it. With -f no control plane is needed.

If the control plane runs on this machine, the host names of virtual nodes are looked up. --dns looks up the names of
virtual services as well: use it where the applications run and their traffic is redirected, since they do the same.

\b
Exit status:
  0  no errors
  1  errors, or with --strict warnings
  2  invalid command line
""",
)
@file_options
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--dns", is_flag=True, help="Look up the names of virtual services and virtual nodes.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def doctor(
    settings: Settings, files: tuple[str, ...], parameters: tuple[str, ...], strict: bool, dns: bool, output: str
) -> None:
    """Report what is wrong in the running mesh or in files, why it matters, and how to fix it."""
    from shopmesh.cli.views.findings_view import render
    from shopmesh.cli.views.tables import show

    if parameters and not files:
        raise click.UsageError("--parameter needs files: name them with -f FILE")
    found = _check_documents(settings, files, parameters, dns) if files else _check_mesh(settings, dns)
    findings = sorted(found, key=lambda one: (one["severity"], one["mesh"], one["kind"], one["path"], one["code"]))
    if output == "json":
        echo_document(json.dumps({"findings": findings}, indent=2))
    else:
        which = f"mesh {settings.mesh}" if settings.mesh else "all meshes"
        subject = ", ".join(files) if files else f"{which} at {settings.endpoint_url}"
        show(render(subject, findings), settings.color)
    if any(strict or one["severity"] == "error" for one in findings):
        raise SystemExit(1)


def _check_documents(
    settings: Settings, files: tuple[str, ...], parameters: tuple[str, ...], dns: bool
) -> Iterator[Answer]:
    from shopmesh import client
    from shopmesh.appmesh.catalogue.surroundings import UNRESOLVED_HOST_NAME, UNRESOLVED_SERVICE_NAME
    from shopmesh.cli import dns_lookup, environment_checks

    documents = read_sources(files)
    checked = client.check(documents, settings.mesh, template_parameters(parameters, settings.region))
    report_skipped(documents)
    for note in checked.notes:
        echo(f"note: {note}", err=True)
    yield from _to_documents(checked.findings)
    if dns:
        for found, names in (
            (UNRESOLVED_HOST_NAME, environment_checks.host_names(checked.resources, ())),
            (UNRESOLVED_SERVICE_NAME, environment_checks.service_names(checked.resources)),
        ):
            yield from _to_documents(environment_checks.check_names(found, names, dns_lookup.failed_lookups(names)))


def _check_mesh(settings: Settings, dns: bool) -> Iterator[Answer]:
    from shopmesh.appmesh.catalogue.surroundings import CONTROL_PLANE_REFUSES, CONTROL_PLANE_UNREACHABLE
    from shopmesh.appmesh.store import Key
    from shopmesh.cli import environment_checks
    from shopmesh.client import ResponseError, UnreachableError

    # Images say that they start no Envoys: others do, beside them.
    if environment_checks.is_local(settings.endpoint_url) and not os.environ.get("SHOPMESH_WITHOUT_ENVOY"):
        yield from _to_documents(_check_envoy())
    key = environment_checks.control_plane_key(settings.endpoint_url)
    with settings.client() as client:
        try:
            yield from _to_documents(_check_control_plane(settings, client))
            mesh = settings.require_mesh(client) if settings.mesh else None
            # A control plane of an earlier version may answer fewer fields.
            found = [cast("Answer", {**_MISSING_FIELDS, **one}) for one in client.findings(mesh)]
            yield from found
            if dns or environment_checks.is_local(settings.endpoint_url):
                errors = {Key(one["kind"], tuple(one["path"])) for one in found if one["severity"] == "error"}
                yield from _to_documents(_check_names(client, mesh, dns, errors))
        except UnreachableError as error:
            yield from _to_documents([CONTROL_PLANE_UNREACHABLE.at(key, str(error))])
        except ResponseError as error:
            yield from _to_documents([CONTROL_PLANE_REFUSES.at(key, f"says: {error.message} ({error.code})")])


def _check_control_plane(settings: Settings, client: Client) -> Iterator[Finding]:
    import importlib.metadata
    import time

    from shopmesh.cli import environment_checks

    before = time.time()
    health = client.health()
    version = importlib.metadata.version("shopmesh")
    yield from environment_checks.check_health(health, settings.endpoint_url, version, before, time.time())


def _check_envoy() -> Iterator[Finding]:
    from shopmesh.cli import environment_checks
    from shopmesh.local.mesh.envoy_binary import envoy_path, installed_envoy_version, required_envoy_version

    path = envoy_path()
    yield from environment_checks.check_envoy(str(path), required_envoy_version(), installed_envoy_version(path))


def _check_names(client: Client, mesh: str | None, dns: bool, errors: Collection[Key]) -> Iterator[Finding]:
    """Skips virtual nodes that have an error already: their callers may not use DNS."""
    from shopmesh.appmesh.catalogue.surroundings import UNRESOLVED_HOST_NAME, UNRESOLVED_SERVICE_NAME
    from shopmesh.cli import dns_lookup, environment_checks
    from shopmesh.client import list_meshes, read_mesh

    wanted = [mesh] if mesh else list_meshes(client)
    resources = [one for name in wanted for one in read_mesh(client, name)]
    hosts = environment_checks.host_names(resources, client.proxies())
    names = {host: key for host, key in hosts.items() if key not in errors}
    yield from environment_checks.check_names(UNRESOLVED_HOST_NAME, names, dns_lookup.failed_lookups(names))
    if dns:
        names = environment_checks.service_names(resources)
        yield from environment_checks.check_names(UNRESOLVED_SERVICE_NAME, names, dns_lookup.failed_lookups(names))


def _to_documents(findings: Iterable[Finding]) -> Iterator[Answer]:
    return (cast("Answer", one.to_document()) for one in findings)
