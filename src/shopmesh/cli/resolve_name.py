"""Finds the resource, or the virtual node, that a user names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from shopmesh.appmesh.store import Key
from shopmesh.cli.kinds import known_kind
from shopmesh.cli.suggestions import suggest

if TYPE_CHECKING:
    from shopmesh.documents import DeclaredResource
    from shopmesh.documents.service_version import ServiceVersion


def resolve(keys: Iterable[Key], kind: str, name: str) -> Key:
    """The key of the resource of that kind and name.

    A route may also be named ROUTER/ROUTE, a virtual service by the first part of its name. Raises
    `click.ClickException` when no resource matches, or more than one.
    """
    of_kind = [key for key in keys if key.kind == kind]
    found = _most_exact(of_kind, name)
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join("/".join(key.path[1:]) for key in found)
        raise click.ClickException(f"{kind} {name!r} is ambiguous: {several}; write the full name")
    raise click.ClickException(f"there is no {kind} {name!r}; {_suggest(name, of_kind)}")


def resolve_any_kind(keys: Iterable[Key], name: str) -> Key:
    """The key of the resource of that name, whatever its kind; raises `click.ClickException` as `resolve` does."""
    keys = list(keys)
    found = _most_exact(keys, name)
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{key.kind} {'/'.join(key.path[1:]) or key.name}" for key in found)
        raise click.ClickException(f"{name!r} is ambiguous: {several}; name the kind as well")
    if kind := known_kind(name):
        raise click.UsageError(f"{name!r} is a kind; name the {kind} as well")
    raise click.ClickException(f"there is no resource {name!r}; {_suggest(name, keys)}")


def resolve_node(nodes: Sequence[DeclaredResource], name: str, targets: Collection[str]) -> str:
    """The virtual node that `name` means for a route whose targets are `targets`.

    `product-v2-vn` is its own name, `product/2.0` a version by the labels of its manifest. For the services that the
    route sends to, `2.0` and `v2.0` are enough, and `v2` where no other version begins with 2. Raises
    `click.ClickException` when no node matches, or more than one.
    """
    from shopmesh.documents.service_version import service_version

    versions = {node.key.name: service_version(node) for node in nodes}
    services = {versions[target].service for target in targets if target in versions}
    candidates = [node for node, version in versions.items() if node in targets or version.service in services - {""}]
    found = [node for node in versions if node == name]
    found = found or [node for node, version in versions.items() if version.version and str(version) == name]
    for names in (_exact_versions, _short_versions):
        found = found or [node for node in candidates if name in names(node, versions[node])]
    if len(found) == 1:
        return found[0]
    if found:
        raise click.ClickException(f"{name!r} is ambiguous: {', '.join(found)}; write the name of the virtual node")
    known = {*versions, *(str(version) for version in versions.values() if version.service and version.version)}
    raise click.ClickException(f"there is no virtual node {name!r}; {suggest(name, known)}")


def _exact_versions(node: str, version: ServiceVersion) -> Collection[str]:
    return (version.version, f"v{version.version}") if version.version else ()


def _short_versions(node: str, version: ServiceVersion) -> Collection[str]:
    """`v2` of version 2.0, and the parts of the node's own name."""
    first = version.version.partition(".")[0]
    return {*node.split("-"), *((first, f"v{first}") if first else ())}


def _most_exact(keys: Sequence[Key], name: str) -> list[Key]:
    """The keys that `name` fits, by the first way of naming them by which it fits any."""
    for spellings in (_paths, _names, _first_parts):
        if found := [key for key in keys if name in spellings(key)]:
            return found
    return []


def _suggest(name: str, keys: Iterable[Key]) -> str:
    keys = list(keys)
    # The short names come first: those are what people type.
    short = {part for key in keys for part in (_first_parts(key)[:1] or _names(key))}
    return suggest(name, short)


def _paths(key: Key) -> tuple[str, ...]:
    return ("/".join(key.path[1:]) or key.name,)


def _names(key: Key) -> tuple[str, ...]:
    return (key.name,)


def _first_parts(key: Key) -> tuple[str, ...]:
    if key.kind != "virtualService":
        return ()
    parts = key.name.split(".")
    return parts[0], ".".join(parts[:2])
