"""`shopmesh get` and `describe`: the resources of the mesh."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.resolved import backends
from shopmesh.cli.kinds import KindType
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.appmesh.store import Key
    from shopmesh.documents import DeclaredResource

EVERY_KIND = "all"
WATCH_SECONDS = 1.0
ResourcesWithAnswers = Sequence[tuple["DeclaredResource", dict[str, Any]]]


@click.command(
    epilog="""\b
Examples:
  shopmesh get                       or: shopmesh get all
  shopmesh get virtualnode
  shopmesh get route product-vr/product-r -o json
  shopmesh get -o yaml > mesh.yaml
  shopmesh get route --watch

\b
KIND: all, mesh, virtualNode (vn), virtualRouter (vr), route, virtualService (vs),
      virtualGateway (vg), gatewayRoute (gr)
"""
)
@click.argument("kind", type=KindType(every=EVERY_KIND), required=False)
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "name", "yaml", "json"]),
    default="table",
    show_default=True,
    help="wide has every column, name one KIND/NAME a line.",
)
@click.option("-w", "--watch", is_flag=True, help="Print those that change as well, until Ctrl-C.")
@click.pass_obj
def get(settings: Settings, kind: str | None, name: str | None, output: str, watch: bool) -> None:
    """List resources, or print them as manifests (yaml) or in the API's form (json).

    Without KIND, all resources; without NAME, all of that kind. Routes may be named ROUTER/ROUTE.
    """
    from shopmesh.cli.views.resources_view import format_name, show_resources
    from shopmesh.client import read_descriptions

    if kind == EVERY_KIND:
        if name is not None:
            raise click.UsageError(f"{name!r} needs its kind: write `shopmesh get KIND {name}`")
        kind = None
    if watch and output in ("yaml", "json"):
        raise click.UsageError(f"--watch prints lines: use -o table, wide or name instead of {output}")
    with settings.client() as client:
        mesh = settings.require_mesh(client)
        found = read_descriptions(client, mesh)
        selected = _select(found, kind, name)
        if watch:
            _watch(lambda: _select(read_descriptions(client, mesh), kind, name), selected, output, settings.color)
            return
    if not selected and output in ("table", "wide"):
        echo("there are none", err=True)
        return
    match output:
        case "json":
            answers = [answer for _, answer in selected]
            echo_document(json.dumps(answers[0] if name else answers, indent=2))
        case "yaml":
            _print_manifests(found, selected)
        case "name":
            echo_document("\n".join(format_name(resource.key) for resource, _ in selected))
        case _:
            show_resources(selected, settings.color, wide=output == "wide")


@click.command(
    epilog="""\b
Examples:
  shopmesh describe virtualservice product
  shopmesh describe product
  shopmesh describe route product-r

KIND may be left out where only one resource has the name. Of a virtual service, the weights of its versions, their
proxies and those of its callers are shown; the callers' Envoys apply the weights.
"""
)
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME", shell_complete=KindType().shell_complete)
@click.pass_context
def describe(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show one resource, what it uses and what uses it, as YAML."""
    from shopmesh.cli.resolve_name import resolve, resolve_any_kind
    from shopmesh.cli.views.traffic_view import traffic_facts
    from shopmesh.client import label, read_descriptions
    from shopmesh.documents import as_yaml

    if len(words) > 2:
        raise click.UsageError(f"describe takes one resource, KIND and NAME; {words[2]!r} is a third word")
    settings: Settings = ctx.obj
    kind = KindType().convert(words[0], None, ctx) if len(words) == 2 else None
    with settings.client() as client:
        found = read_descriptions(client, settings.require_mesh(client))
        proxies = client.proxies()
    keys = [resource.key for resource, _ in found]
    key = resolve(keys, kind, words[-1]) if kind else resolve_any_kind(keys, words[0])
    [(resource, answer)] = [pair for pair in found if pair[0].key == key]
    uses = {other.key: _referenced_keys(other) for other, _ in found}
    metadata = answer["metadata"]
    facts: dict[str, Any] = {
        "kind": key.kind,
        **dict(zip(KINDS[key.kind].parameters, key.path, strict=True)),
        "arn": metadata["arn"],
        "version": metadata["version"],
        "created": _format_time(metadata["createdAt"]),
        "updated": _format_time(metadata["lastUpdatedAt"]),
        "status": answer["status"]["status"],
        "uses": [label(other) for other in uses[key]],
        "usedBy": [label(other) for other, targets in uses.items() if key in targets],
        **traffic_facts(key, [one for one, _ in found], [one for one in proxies if one["mesh"] == key.mesh]),
        "tags": dict(resource.tags),
        "spec": resource.spec,
    }
    parts = {name: value for name, value in facts.items() if value not in ([], {})}
    echo_document(as_yaml([parts]))


def _watch(
    read: Callable[[], ResourcesWithAnswers], known: ResourcesWithAnswers, output: str, color: bool | None
) -> None:
    """Prints `known`, then every second what was created, changed or deleted since, until Ctrl-C."""
    from shopmesh.cli.views.resources_view import format_name, show_resources
    from shopmesh.client import ClientError, UnreachableError

    def print_some(some: ResourcesWithAnswers) -> None:
        if output == "name":
            for resource, _ in some:
                echo(format_name(resource.key))
        elif some:
            show_resources(some, color, wide=output == "wide")

    print_some(known)
    versions = _versions(known)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(WATCH_SECONDS)
            try:
                found = read()
            except UnreachableError:
                continue  # it may be restarting; the next answer has everything
            except ClientError:
                found = []
            now = _versions(found)
            print_some([pair for pair in found if versions.get(pair[0].key) != now[pair[0].key]])
            for gone in versions.keys() - now.keys():
                echo(f"{format_name(gone)} was deleted")
            versions = now


def _versions(found: ResourcesWithAnswers) -> dict[Key, tuple[str, int]]:
    return {one.key: (answer["metadata"]["uid"], answer["metadata"]["version"]) for one, answer in found}


def _select(found: ResourcesWithAnswers, kind: str | None, name: str | None) -> ResourcesWithAnswers:
    from shopmesh.cli.resolve_name import resolve

    if kind is None:
        return found
    if name is None:
        return [pair for pair in found if pair[0].key.kind == kind]
    key = resolve([resource.key for resource, _ in found], kind, name)
    return [pair for pair in found if pair[0].key == key]


def _print_manifests(found: ResourcesWithAnswers, selected: ResourcesWithAnswers) -> None:
    from shopmesh.documents import as_yaml, manifests, not_for_kubernetes

    objects = manifests([resource for resource, _ in found], {resource.key for resource, _ in selected})
    echo_document(as_yaml(objects))
    for note in not_for_kubernetes(resource for resource, _ in selected):
        echo(f"note: {note}", err=True)


def _referenced_keys(resource: DeclaredResource) -> list[Key]:
    """The resources that one refers to; backends too, although the API lets them name missing services."""
    from shopmesh.appmesh.annotations.annotation_reader import references
    from shopmesh.appmesh.store import Key

    key = resource.key
    named = [reference.key for reference in KINDS[key.kind].references(key.mesh, resource.spec)]
    named += [reference.key for reference in references(key, tuple(resource.tags.items()))]
    named += [Key("virtualService", (key.mesh, one["virtualServiceName"])) for one in backends(resource.spec)]
    return list(dict.fromkeys(named))


def _format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
