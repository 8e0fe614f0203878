"""`shopmesh export`: the running mesh as manifests, App Mesh JSON or Gateway API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.documents import DeclaredResource

_NOT_PORTABLE = re.compile(r"[^A-Za-z0-9.]+")
_CAMEL_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
MAX_NAME_LENGTH = 120


class ExportFile(NamedTuple):
    """A safe file name and the file's text."""

    name: str
    text: str


class ExportResult(NamedTuple):
    """A heading, the files, what separates them on standard output, and notes for standard error."""

    head: str
    files: Sequence[ExportFile]
    between: str
    notes: Sequence[str]


@click.command(
    epilog="""\b
Examples:
  shopmesh export > mesh.yaml
  shopmesh export --format json -o backup/
  shopmesh export --format gateway-api -o k8s/

\b
Formats:
  manifests    appmesh.k8s.aws/v1beta2, for kubectl and `apply -f`
  json         one file per resource for --cli-input-json of `aws appmesh`,
               numbered in the order of creation
  gateway-api  HTTPRoute, GRPCRoute, TCPRoute and Gateway; comments and
               standard error say what has no equivalent

To read manifests or json back, use `shopmesh apply -f`; applying an export changes nothing.

Exit status: 0 success, with or without warnings; 1 failure; 2 invalid command line.
"""
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["manifests", "json", "gateway-api"]),
    default="manifests",
    show_default=True,
    help="Format to write.",
)
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    metavar="DIR|-",
    help="Empty or new folder; - for standard output.",
)
@click.option(
    "--gateway-class", default="istio", show_default=True, metavar="NAME", help="gatewayClassName of the Gateways."
)
@click.pass_obj
def export(settings: Settings, form: str, output: str, gateway_class: str) -> None:
    """Write the running mesh as manifests, App Mesh JSON or Gateway API."""
    from shopmesh.client import read_mesh

    folder = None if output == "-" else _require_empty(Path(output))
    with settings.client() as client:
        resources = read_mesh(client, settings.require_mesh(client))
    match form:
        case "json":
            exported = _json(resources)
        case "gateway-api":
            exported = _gateway_api(resources, gateway_class)
        case _:
            exported = _manifests(resources)
    if folder is None:
        texts = [*([exported.head] if exported.head else []), *(file.text for file in exported.files)]
        echo_document(exported.between.join(texts))
    else:
        _write(folder, exported)
    for note in exported.notes:
        echo(note, err=True)


def _manifests(resources: Sequence[DeclaredResource]) -> ExportResult:
    from shopmesh.documents import as_yaml, manifests, not_for_kubernetes
    from shopmesh.documents.text.placeholders import find_placeholders

    files = []
    for manifest in manifests(resources):
        metadata = manifest["metadata"]
        space = metadata.get("namespace", "default")
        words = [manifest["kind"].lower(), *([] if space == "default" else [space]), metadata["name"]]
        files.append(ExportFile("-".join(words), as_yaml([manifest])))
    notes = [*not_for_kubernetes(resources), *find_placeholders(resources)]
    return ExportResult("", _unique_names(files, ".yaml"), "---\n", [f"note: {note}" for note in notes])


def _json(resources: Sequence[DeclaredResource]) -> ExportResult:
    from shopmesh.documents import as_json, creation_order, document
    from shopmesh.documents.text.placeholders import find_placeholders

    width = max(3, len(str(len(resources))))
    files = []
    for number, resource in enumerate(creation_order(resources), start=1):
        operation = _CAMEL_HUMP.sub("-", resource.key.kind).lower()
        names = "-".join(resource.key.path[1:] or resource.key.path)
        files.append(ExportFile(f"{number:0{width}}-create-{operation}-{names}", as_json(document(resource))))
    return ExportResult(
        "", _unique_names(files, ".json"), "", [f"note: {note}" for note in find_placeholders(resources)]
    )


def _gateway_api(resources: Sequence[DeclaredResource], gateway_class: str) -> ExportResult:
    from shopmesh.documents.gateway_api import gateway_api

    exported = gateway_api(resources, gateway_class)
    named = zip(exported.objects, exported.texts(), strict=True)
    files = [ExportFile(written.name, text) for written, text in named]
    notes = [f"warning: {line}" for line in exported.all_warnings()]
    return ExportResult(exported.head(), _unique_names(files, ".yaml"), "---\n", notes)


def _unique_names(files: Iterable[ExportFile], suffix: str) -> list[ExportFile]:
    """Makes the names unique, and valid on every file system."""
    found: dict[str, ExportFile] = {}
    for file in files:
        plain = _NOT_PORTABLE.sub("-", file.name).strip("-.")[:MAX_NAME_LENGTH] or "x"
        name, number = plain, 2
        while name.lower() in found:
            name, number = f"{plain}-{number}", number + 1
        found[name.lower()] = ExportFile(f"{name}{suffix}", file.text)
    return list(found.values())


def _require_empty(folder: Path) -> Path:
    """Refuses a folder with other files: `apply -f` would read them too."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.ClickException(f"{folder} is not an empty folder; choose another with --output")
    return folder


def _write(folder: Path, exported: ExportResult) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, file in enumerate(exported.files):
        head = exported.head if index == 0 else ""
        (folder / file.name).write_text(head + file.text, encoding="utf-8")
    echo(f"wrote {len(exported.files)} files to {folder}", err=True)
