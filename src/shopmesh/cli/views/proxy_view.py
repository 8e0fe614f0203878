"""Shows the configuration of one proxy: as a table, and as the difference of two; does no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from shopmesh.cli.views.status_view import proxy_state
from shopmesh.cli.views.tables import age, table
from shopmesh.client import ProxyConfig, diff_texts
from shopmesh.documents import as_yaml
from shopmesh.output.printable import shorten_line

MAX_DETAILS = 100
"""Characters of the details of a resource; -o yaml has all."""
_MAX_LISTED = 3
_STYLES = {"acknowledged": "green", "refused": "red"}


def render(config: ProxyConfig) -> RenderableType:
    """A line about the proxy, and a row for each resource."""
    proxy, types = config["proxy"], config["types"]
    several, current = len(types) > 1, config["snapshot"] == "current"
    columns = [*(["TYPE"] if several else []), "NAME", "VERSION", *(["STATE"] if current else []), "DETAILS"]
    rows = [
        [
            *([kind] if several else []),
            one["name"],
            one["version"][:8],
            *([Text(one["state"], style=_STYLES.get(one["state"], "yellow"))] if current else []),
            shorten_line(_DETAILS[kind](one), MAX_DETAILS),
        ]
        for kind, resources in types.items()
        for one in resources
    ]
    head = Text.assemble(
        (proxy["instance"], "bold"),
        f" of {proxy['kind']} {proxy['name']}  {config['snapshot']} configuration {config['version'][:8]}",
        f", {age(time.time() - config['at'])} old  " if config["at"] is not None else "  ",
        proxy_state(proxy) if current else "",
    )
    return Group(head, "", table(columns, rows) if rows else Text(f"there are no {', '.join(types)}", style="dim"))


def diff_lines(former: ProxyConfig, now: ProxyConfig) -> Iterator[str]:
    """The lines of a unified diff of each resource that differs, without line feeds; none where all are equal."""
    for kind in now["types"]:
        before, after = _texts(former, kind), _texts(now, kind)
        yield from diff_texts(before, after, f"former/{kind}", f"current/{kind}")


def _texts(config: ProxyConfig, kind: str) -> dict[str, str]:
    """The content of each resource as YAML, without how far the proxy is with it."""
    hidden = ("state", "version") if kind != "secrets" else ("state",)
    return {
        one["name"]: as_yaml([{name: value for name, value in one.items() if name not in hidden}])
        for one in config["types"].get(kind, [])
    }


def _cluster(one: Mapping[str, Any]) -> str:
    cluster = one["resource"]
    kind = cluster.get("type") or cluster.get("cluster_type", {}).get("name") or "STATIC"
    return f"{kind}, TLS" if "transport_socket" in cluster else str(kind)


def _listener(one: Mapping[str, Any]) -> str:
    address = one["resource"].get("address", {})
    return _address(address) or "no address"


def _routes(one: Mapping[str, Any]) -> str:
    hosts = one["resource"].get("virtual_hosts", [])
    return _list_first([domain for host in hosts for domain in host.get("domains", [])])


def _endpoints(one: Mapping[str, Any]) -> str:
    groups = one["resource"].get("endpoints", [])
    found = [
        _address(endpoint.get("endpoint", {}).get("address", {}))
        for group in groups
        for endpoint in group.get("lb_endpoints", [])
    ]
    return _list_first(found) if found else "none"


def _secret(one: Mapping[str, Any]) -> str:
    if one["subject"] is None:
        return _list_first(one["files"]) if one["files"] else "not known"
    expires = time.strftime("%Y-%m-%d", time.gmtime(one["expires"])) if one["expires"] is not None else "not known"
    return f"{one['subject']}, expires {expires}"


_DETAILS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "clusters": _cluster,
    "listeners": _listener,
    "routes": _routes,
    "endpoints": _endpoints,
    "secrets": _secret,
}


def _address(address: Mapping[str, Any]) -> str:
    socket = address.get("socket_address", {})
    if socket:
        return f"{socket.get('address', '')}:{socket.get('port_value', socket.get('named_port', ''))}"
    return str(address.get("pipe", {}).get("path", ""))


def _list_first(texts: list[str]) -> str:
    more = f" and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
    return ", ".join(texts[:_MAX_LISTED]) + more
