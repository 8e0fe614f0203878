"""`shopmesh get` and `describe`: the resources of the mesh."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from shopmesh.appmesh.kinds import KINDS, ROUTE_KINDS
from shopmesh.appmesh.resolved import backends
from shopmesh.cli.kinds import KindType
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.appmesh.store import Key
    from shopmesh.documents import DeclaredResource

ResourcesWithAnswers = Sequence[tuple["DeclaredResource", dict[str, Any]]]


@click.command(
    epilog="""\b
Examples:
  shopmesh get
  shopmesh get virtualnode
  shopmesh get route product-vr/product-r -o json
  shopmesh get -o yaml > mesh.yaml

\b
KIND: mesh, virtualNode (vn), virtualRouter (vr), route, virtualService (vs),
      virtualGateway (vg), gatewayRoute (gr)
"""
)
@click.argument("kind", type=KindType(), required=False)
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Choice(["table", "yaml", "json"]), default="table", show_default=True)
@click.pass_obj
def get(settings: Settings, kind: str | None, name: str | None, output: str) -> None:
    """List resources, or print them as manifests (yaml) or in the API's form (json).

    Without KIND, all resources; without NAME, all of that kind. Routes may be named ROUTER/ROUTE.
    """
    from shopmesh.client import read_descriptions

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
  shopmesh describe route product-r
"""
)
@click.argument("kind", type=KindType())
@click.argument("name")
@click.pass_obj
def describe(settings: Settings, kind: str, name: str) -> None:
    """Show one resource, what it uses and what uses it, as YAML."""

    from shopmesh.client import label, read_descriptions
    from shopmesh.documents import as_yaml

    with settings.client() as client:
        found = read_descriptions(client, settings.require_mesh(client))
    [(resource, answer)] = _select(found, kind, name)
    uses = {other.key: _referenced_keys(other) for other, _ in found}
    metadata = answer["metadata"]
    facts: dict[str, Any] = {
        "kind": kind,
        **dict(zip(KINDS[kind].parameters, resource.key.path, strict=True)),
        "arn": metadata["arn"],
        "version": metadata["version"],
        "created": _format_time(metadata["createdAt"]),
        "updated": _format_time(metadata["lastUpdatedAt"]),
        "status": answer["status"]["status"],
        "uses": [label(key) for key in uses[resource.key]],
        "usedBy": [label(key) for key, targets in uses.items() if resource.key in targets],
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
    from shopmesh.cli.views.tables import age, show, table

    if not selected:
        echo("none", err=True)
        return
    now = time.time()
    rows = [
        (
            resource.key.kind,
            "/".join(resource.key.path[1:]) or resource.key.name,
            _summarize(resource.spec, resource.tags),
            str(answer["metadata"]["version"]),
            age(now - answer["metadata"]["lastUpdatedAt"]),
        )
        for resource, answer in selected
    ]
    show(table(("KIND", "NAME", "SUMMARY", "VERSION", "UPDATED"), rows, right=("VERSION", "UPDATED")), color)


def _summarize(spec: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Summarizes a specification and its annotations in a few words."""
    from shopmesh.cli.views.annotations_view import format_annotations

    parts: list[str] = []
    for listener in spec.get("listeners", []):
        port = listener["portMapping"]
        parts.append(f"{port['protocol']} {port['port']}")
    if dns := spec.get("serviceDiscovery", {}).get("dns"):
        parts.append(f"at {dns['hostname']}")
    if called := [backend["virtualServiceName"] for backend in backends(spec)]:
        parts.append(f"calls {', '.join(called)}")
    for kind, provider in spec.get("provider", {}).items():
        parts.append(f"provided by {kind} {provider[f'{kind}Name']}")
    if filtered := spec.get("egressFilter"):
        parts.append(f"egress {filtered['type']}")
    for kind in ROUTE_KINDS:
        if action := spec.get(kind, {}).get("action"):
            parts += _summarize_action(spec[kind], action)
    return ", ".join([*parts, *format_annotations(tags)])


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
