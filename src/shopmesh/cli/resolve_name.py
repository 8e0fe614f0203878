"""Finds the resource that a user names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

from shopmesh.appmesh.store import Key


def resolve(keys: Iterable[Key], kind: str, name: str) -> Key:
    """The key of the resource of that kind and name.

    A route may also be named ROUTER/ROUTE, a virtual service by the first part of its name. Raises
    `click.ClickException` when no resource matches, or more than one.
    """
    of_kind = [key for key in keys if key.kind == kind]
    for spellings in (_paths, _names, _first_parts):
        if found := [key for key in of_kind if name in spellings(key)]:
            break
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join("/".join(key.path[1:]) for key in found)
        raise click.ClickException(f"{kind} {name!r} is ambiguous: {several}; write the full name")
    names = [key.name for key in of_kind]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there: {', '.join(sorted(names)[:20]) or 'none'}"
    raise click.ClickException(f"there is no {kind} {name!r}; {hint}")


def _paths(key: Key) -> tuple[str, ...]:
    return ("/".join(key.path[1:]) or key.name,)


def _names(key: Key) -> tuple[str, ...]:
    return (key.name,)


def _first_parts(key: Key) -> tuple[str, ...]:
    if key.kind != "virtualService":
        return ()
    parts = key.name.split(".")
    return parts[0], ".".join(parts[:2])
