"""Resources as lines of a table, and as names that other commands accept."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.resolved import backends, listeners, provider_key
from shopmesh.cli.views.annotations_view import format_annotations
from shopmesh.cli.views.tables import CLUSTER_DOMAIN, age, console, fit_columns, show, table

if TYPE_CHECKING:
    from shopmesh.appmesh.store import Key
    from shopmesh.documents import DeclaredResource

COLUMNS = ("KIND", "NAME", "SUMMARY", "VERSION", "UPDATED")
WIDE_COLUMNS = (*COLUMNS, "CREATED", "TAGS")
NARROWEST_SUMMARY = 28
"""Characters; where less is left, VERSION and UPDATED are left out instead."""

ResourceWithAnswer = tuple["DeclaredResource", dict[str, Any]]


def show_resources(selected: Sequence[ResourceWithAnswer], color: bool | None, wide: bool = False) -> None:
    """Prints a table; `wide` has all columns at any width, otherwise those that have no room are left out."""
    rows = [_row(pair, time.time()) for pair in selected]
    if wide:
        show(table(WIDE_COLUMNS, rows, right=("VERSION", "UPDATED", "CREATED"), whole=WIDE_COLUMNS), color)
        return
    columns, cells = fit_columns(
        COLUMNS, rows, console(color).width, ("UPDATED", "VERSION"), {"SUMMARY": NARROWEST_SUMMARY}
    )
    show(table(columns, cells, right=("VERSION", "UPDATED"), whole=("KIND", "NAME")), color)


def format_name(key: Key) -> str:
    """Kind and name in one word: `virtualNode/product-vn`, `route/product-vr/product-r`."""
    return f"{key.kind}/{short_name(key)}"


def short_name(key: Key) -> str:
    """The name that `shopmesh get KIND NAME` takes: with its parent, without its mesh."""
    return "/".join(key.path[1:]) or key.name


def _row(pair: ResourceWithAnswer, now: float) -> tuple[str, ...]:
    resource, answer = pair
    metadata = answer["metadata"]
    return (
        resource.key.kind,
        short_name(resource.key),
        _summarize(resource),
        str(metadata["version"]),
        age(now - metadata["lastUpdatedAt"]),
        age(now - metadata["createdAt"]),
        ",".join(f"{name}={value}" for name, value in resource.tags.items()),
    )


def _summarize(resource: DeclaredResource) -> str:
    """Summarizes a specification and its annotations in a few words."""
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
