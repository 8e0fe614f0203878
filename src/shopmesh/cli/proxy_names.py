"""Proxies by the names that `shopmesh status` prints: resolved, and completed in the shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from shopmesh.cli.settings import Settings
from shopmesh.cli.suggestions import suggest

if TYPE_CHECKING:
    from shopmesh.client import ProxyDocument

COMPLETION_SECONDS = 2.0


def resolve_proxy(proxies: Sequence[ProxyDocument], name: str) -> ProxyDocument:
    """The proxy of that name, or the only one of the node of that name; `NODE/NAME` where several nodes have one.

    Raises `click.ClickException`, which says what to write instead.
    """
    node, _, instance = name.rpartition("/")
    found = [one for one in proxies if one["instance"] == instance and node in ("", one["name"])]
    found = found or [one for one in proxies if one["name"] == name]
    if not found:
        raise click.ClickException(f"there is no proxy {name!r}; {suggest(name, (one['instance'] for one in proxies))}")
    if len(found) > 1:
        raise click.ClickException(f"{name!r} is the name of several proxies: write {_choices(found)}")
    return found[0]


def _choices(proxies: Sequence[ProxyDocument]) -> str:
    instances = [one["instance"] for one in proxies]
    several = len(set(instances)) < len(instances)
    return " or ".join(f"{one['name']}/{one['instance']}" if several else one["instance"] for one in proxies[:5])


def complete_proxy(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of connected proxies; none while the control plane does not answer."""
    from shopmesh.client import ClientError

    # While a shell completes, no callback runs that would set the context's object.
    options = ctx.find_root().params
    settings = Settings(options["endpoint_url"], options["region"], options["mesh"])
    try:
        with settings.client(COMPLETION_SECONDS) as client:
            proxies = client.proxies()
    except ClientError:
        return []
    names = {one["instance"] for one in proxies if one["connected"] and settings.mesh in (None, one["mesh"])}
    return [CompletionItem(one) for one in sorted(names) if one.startswith(incomplete)]
