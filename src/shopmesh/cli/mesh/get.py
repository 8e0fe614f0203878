"""`shopmesh get` and `describe`: the resources of the mesh."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from shopmesh.appmesh.kinds import KINDS, ROUTE_KINDS
from shopmesh.appmesh.resolved import backends, listeners, provider_key
from shopmesh.cli.kinds import KindType
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.appmesh.store import Key
    from shopmesh.documents import DeclaredResource

EVERY_KIND = "all"
COLUMNS = ("KIND", "NAME", "SUMMARY", "VERSION", "UPDATED")
NARROWEST_SUMMARY = 28
"""Characters; where less is left, VERSION and UPDATED are left out instead."""
ResourcesWithAnswers = Sequence[tuple["DeclaredResource", dict[str, Any]]]


@click.command(
    epilog="""\b
Examples:
  shopmesh get                       or: shopmesh get all
  shopmesh get virtualnode
  shopmesh get route product-vr/product-r -o json
  shopmesh get -o yaml > mesh.yaml

\b
KIND: all, mesh, virtualNode (vn), virtualRouter (vr), route, virtualService (vs),
      virtualGateway (vg), gatewayRoute (gr)
"""
)
@click.argument("kind", type=KindType(every=EVERY_KIND), required=False)
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Choice(["table", "yaml", "json"]), default="table", show_default=True)
@click.pass_obj
def get(settings: Settings, kind: str | None, name: str | None, output: str) -> None:
    """List resources, or print them as manifests (yaml) or in the API's form (json).

    Without KIND, all resources; without NAME, all of that kind. Routes may be named ROUTER/ROUTE.
    """
    from shopmesh.client import read_descriptions

    if kind == EVERY_KIND:
        if name is not None:
            raise click.UsageError(f"{name!r} needs its kind: write `shopmesh get KIND {name}`")
        kind = None
    with settings.client() as client:
        found = read_descriptions(client, settings.require_mesh(client))
    selected = _select(found, kind, name)
    match output:
        case "json":
            answers = [answer for _, answer in selected]
            echo_document(json.dumps(answers[0] if name else answers, indent=2))
        case "yaml":
            _print_manifests(found, selected)
        case _:
            _print_table(selected, settings.color)


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
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME")
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
    key = resolve(keys, kind, words[1]) if kind else resolve_any_kind(keys, words[0])
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


def _print_table(selected: ResourcesWithAnswers, color: bool | None) -> None:
    from shopmesh.cli.views.tables import age, console, fit_columns, show, table

    if not selected:
        echo("none", err=True)
        return
    now = time.time()
    rows = [
        (
            resource.key.kind,
            "/".join(resource.key.path[1:]) or resource.key.name,
            _summarize(resource),
            str(answer["metadata"]["version"]),
            age(now - answer["metadata"]["lastUpdatedAt"]),
        )
        for resource, answer in selected
    ]
    columns, cells = fit_columns(
        COLUMNS, rows, console(color).width, ("UPDATED", "VERSION"), {"SUMMARY": NARROWEST_SUMMARY}
    )
    show(table(columns, cells, right=("VERSION", "UPDATED"), whole=("KIND", "NAME")), color)


def _summarize(resource: DeclaredResource) -> str:
    """Summarizes a specification and its annotations in a few words."""
    from shopmesh.cli.views.annotations_view import format_annotations
    from shopmesh.cli.views.tables import CLUSTER_DOMAIN

    spec = resource.spec
    parts = [f"{listener.protocol} {listener.port}" for listener in listeners(resource)]
    if dns := spec.get("serviceDiscovery", {}).get("dns"):
        parts.append(f"at {dns['hostname']}")
    if called := [backend["virtualServiceName"] for backend in backends(spec)]:
        parts.append(f"calls {', '.join(called)}")
    if provider := provider_key(resource.key.mesh, spec):
        parts.append(f"provided by {provider.kind} {provider.name}")
    if filtered := spec.get("egressFilter"):
        parts.append(f"egress {filtered['type']}")
    for kind in ROUTE_KINDS:
        if action := spec.get(kind, {}).get("action"):
            parts += _summarize_action(spec[kind], action)
    return ", ".join([*parts, *format_annotations(resource.tags)]).replace(CLUSTER_DOMAIN, "")


def _summarize_action(route: Mapping[str, Any], action: Mapping[str, Any]) -> list[str]:
    match = route.get("match", {})
    path = match.get("prefix") or match.get("path", {}).get("exact") or match.get("path", {}).get("regex") or ""
    targets = [f"{target['virtualNode']}={target['weight']}" for target in action.get("weightedTargets", [])]
    if target := action.get("target"):
        targets.append(target["virtualService"]["virtualServiceName"])
    return [f"{path} → {' '.join(targets)}".strip()]


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
