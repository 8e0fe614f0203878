"""Shows the state of a mesh on a terminal; does no I/O."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from shopmesh.appmesh.resolved import UnchangingView, called_services
from shopmesh.cli.views.findings_view import count_by_severity, format_findings
from shopmesh.cli.views.tables import CLUSTER_DOMAIN, age, fit_columns, percent, table
from shopmesh.client import FindingDocument, ProxyDocument, RouteSplits, SplitTarget
from shopmesh.client.types import RouteSplit
from shopmesh.documents import DeclaredResource
from shopmesh.documents.declared_resource import as_state
from shopmesh.documents.service_version import service_version
from shopmesh.output.printable import shorten_line

COLUMNS = (
    *("SERVICE", "NODE", "VERSION", "WEIGHT", "SEEN", "95 %", "REQUESTS", "ERRORS", "RETRIES", "P50", "P99"),
    "PROXIES",
)
OPTIONAL_COLUMNS = ("P50", "95 %", "RETRIES", "P99", "VERSION", "REQUESTS")
"""Columns that a narrow terminal leaves out, least important first; -o json has all."""

MAX_FINDINGS = 5
_MAX_UNCALLED = 3
_NOTED_SECONDS = 0.5
"""Difference in time from which a row's figures are noted as of less time than the others."""
_SETTLED_SECONDS = 3.0
"""After so long the callers have reported what they counted; they do once a second."""
MAX_STATE = 60
"""Characters of a proxy's state in the table."""
MIN_REASON = 20
"""Characters of each reason where a proxy refused several types."""

MAX_WHAT = 200
"""Characters of what is wrong, in a finding; Envoy's reasons for a refusal can be kilobytes."""


_NO_TRAFFIC: SplitTarget = {
    "virtualNode": "",
    "port": None,
    "weight": 100,
    "share": 1.0,
    "seen": None,
    "interval": None,
    "requests": 0,
    "errors": 0,
    "retries": 0,
    "p50": None,
    "p99": None,
}


@dataclass(frozen=True)
class MeshStatus:
    """The answers of the control plane at one moment."""

    mesh: str
    endpoint: str
    resources: Sequence[DeclaredResource]
    splits: RouteSplits
    proxies: Sequence[ProxyDocument]
    findings: Sequence[FindingDocument]

    def to_document(self) -> dict[str, Any]:
        """The JSON document for programs."""
        replicas = {"replicas": self.splits["replicas"]} if "replicas" in self.splits else {}
        return {
            "mesh": self.mesh,
            **replicas,
            "window": self.splits["window"],
            "splits": self.splits["splits"],
            "proxies": list(self.proxies),
            "findings": list(self.findings),
        }


def render(status: MeshStatus, width: int) -> RenderableType:
    """Services, proxies and findings, in lines of at most `width` characters if possible."""
    window = f"{status.splits['window']:g} s"
    parts: list[RenderableType] = [
        Text.assemble(("mesh ", "bold"), status.mesh, "  at ", status.endpoint, f"  over the last {window}"),
        *_missing_replicas(status.splits),
        "",
        _services_table(status, width),
        *_counting_notes(status),
        "",
        _proxies_table(status.proxies),
        "",
        *_first_findings(status.findings),
    ]
    return Group(*parts)


def _missing_replicas(splits: RouteSplits) -> Iterator[RenderableType]:
    """Says how many replicas of the control plane answered, unless all did."""
    replicas = splits.get("replicas", {"asked": 1, "answered": 1})
    if (answered := replicas["answered"]) < (asked := replicas["asked"]):
        yield Text(f"only {answered} of {asked} replicas of the control plane answered", style="yellow")


def _services_table(status: MeshStatus, width: int) -> RenderableType:
    rows = list(_target_rows(status))
    if not rows:
        return Text("no virtual services yet: `shopmesh apply -f mesh/` loads the demo's")
    columns, cells = fit_columns(COLUMNS, rows, width, OPTIONAL_COLUMNS)
    return table(columns, cells, right=COLUMNS[3:-1])


def _counting_notes(status: MeshStatus) -> Iterator[RenderableType]:
    """Says which figures are of less time than the others, and which were not counted by callers, and why."""
    for split in status.splits["splits"]:
        counted = _counted_seconds(status, split)
        if status.splits["window"] - counted >= _NOTED_SECONDS:
            service = split["virtualService"].removesuffix(CLUSTER_DOMAIN)
            yield Text(f"{service}: counted for {counted:.0f} s, since its route has changed", style="dim")
    called = called_services(UnchangingView(as_state(status.resources)), status.mesh)
    uncalled = [
        resource.key.name
        for resource in status.resources
        if resource.key.kind == "virtualService" and resource.key.name not in called
    ]
    if uncalled:
        yield Text(
            f"nothing in the mesh calls {_shorten(uncalled)}: no weights act there, and its own proxies count requests",
            style="dim",
        )
    elsewhere = {
        split["virtualService"]
        for split in status.splits["splits"]
        # Right after a change the callers' reports may be the later ones.
        if split.get("countedBy") == "targets" and _counted_seconds(status, split) >= _SETTLED_SECONDS
    }
    if direct := sorted(elsewhere.difference(uncalled)):
        yield Text(f"requests for {_shorten(direct)} came from outside the mesh, past all weights", style="dim")


def _counted_seconds(status: MeshStatus, split: RouteSplit) -> float:
    """Over how many seconds the requests of a split were counted: the window, or since its route has changed."""
    begin = status.splits.get("since", 0.0)
    return max(0.0, status.splits["window"] - max(0.0, split.get("since", begin) - begin))


def _shorten(services: Sequence[str]) -> str:
    """Their names without the cluster's domain, and the number of those that are too many."""
    more = f" and {len(services) - _MAX_UNCALLED} more" if len(services) > _MAX_UNCALLED else ""
    return ", ".join(name.removesuffix(CLUSTER_DOMAIN) for name in services[:_MAX_UNCALLED]) + more


def _target_rows(status: MeshStatus) -> Iterator[tuple[str | Text, ...]]:
    """A row for each target, sorted by service; only the first row of a service shows its name."""
    nodes = [resource for resource in status.resources if resource.key.kind == "virtualNode"]
    versions = {node.key.name: service_version(node).version for node in nodes}
    routed = {split["virtualService"] for split in status.splits["splits"]}
    found: list[tuple[str, str, list[SplitTarget]]] = [
        (split["virtualService"], split["route"] or "", split["targets"]) for split in status.splits["splits"]
    ]
    for resource in status.resources:
        if resource.key.kind == "virtualService" and resource.key.name not in routed:
            node = resource.spec.get("provider", {}).get("virtualNode", {}).get("virtualNodeName")
            found.append((resource.key.name, "", [{**_NO_TRAFFIC, "virtualNode": node or "-"}]))
    counts: dict[str, int] = {}
    for service, _, _ in found:
        counts[service] = counts.get(service, 0) + 1
    for service, route, targets in sorted(found, key=lambda entry: entry[:2]):
        short = service.removesuffix(CLUSTER_DOMAIN)
        name = f"{short} ({route})" if counts[service] > 1 else short
        several = len({target["virtualNode"] for target in targets}) < len(targets)
        for index, target in enumerate(targets):
            node = target["virtualNode"]
            interval = target["interval"]
            yield (
                Text(name if index == 0 else "", style="bold"),
                f"{node}:{target['port']}" if several else node,
                versions.get(node, ""),
                str(target["weight"]),
                percent(target["seen"]),
                f"{percent(interval[0])} to {percent(interval[1])}" if interval else "",
                str(target["requests"]),
                Text(str(target["errors"]), style="red" if target["errors"] else ""),
                str(target["retries"]),
                _format_milliseconds(target["p50"]),
                _format_milliseconds(target["p99"]),
                _sync_count(
                    [proxy for proxy in status.proxies if (proxy["kind"], proxy["name"]) == ("virtualNode", node)]
                ),
            )


def _proxies_table(proxies: Sequence[ProxyDocument]) -> RenderableType:
    if not proxies:
        return Text("no proxies are connected: `shopmesh up` starts the demo's")
    now = time.time()
    rows = [
        (
            proxy["instance"],
            proxy["name"],
            proxy["address"] or "-",
            age(now - proxy["since"]) if proxy["since"] and proxy["connected"] else "-",
            _short_state(proxy),
        )
        for proxy in sorted(proxies, key=lambda proxy: (proxy["name"], proxy["instance"]))
    ]
    return table(("PROXY", "NODE", "ADDRESS", "CONNECTED", "STATE"), rows)


def proxy_state(proxy: ProxyDocument, longest_reason: int | None = None) -> Text:
    """The state of one proxy in a few words, with Envoy's reasons, whole or of at most so many characters."""
    if (refused := proxy["refused"]) is not None:
        all_refused = [refused, *proxy.get("alsoRefused", ())]
        reasons = [
            one["message"] if longest_reason is None else shorten_line(one["message"], longest_reason)
            for one in all_refused
        ]
        each = "; ".join(f"its {one['type']}: {why}" for one, why in zip(all_refused, reasons, strict=True))
        return Text(f"rejected {each}", style="red")
    if not proxy["connected"]:
        return Text("not connected", style="yellow")
    if not proxy["known"]:
        return Text(f"no {proxy['kind']} {proxy['name']} in the mesh", style="red")
    return Text("in sync", style="green") if proxy["inStep"] else Text("not yet in sync", style="yellow")


def _short_state(proxy: ProxyDocument) -> Text:
    """Envoy's reasons have any length, and lines of their own; `shopmesh doctor` and `describe` show all of them.

    Each type that was refused is named, with the beginning of its reason.
    """
    if others := proxy.get("alsoRefused"):
        return proxy_state(proxy, max(MAX_STATE // (1 + len(others)), MIN_REASON))
    state = proxy_state(proxy)
    return Text(shorten_line(state.plain, MAX_STATE), style=state.style)


def _sync_count(proxies: Sequence[ProxyDocument]) -> Text:
    """How many of a node's proxies have confirmed their whole configuration."""
    well = sum(proxy["connected"] and proxy["inStep"] and proxy["refused"] is None for proxy in proxies)
    if not proxies:
        return Text("none", style="dim")
    return Text(f"{well} of {len(proxies)} in sync", style="green" if well == len(proxies) else "yellow")


def _first_findings(findings: Sequence[FindingDocument]) -> Iterator[RenderableType]:
    """The number of findings, and the first of them, errors before warnings."""
    if not findings:
        yield Text("nothing is wrong", style="green")
        return
    yield Text(count_by_severity(findings), style="bold")
    yield from format_findings([{**one, "what": _shorten_reason(one["what"])} for one in findings[:MAX_FINDINGS]])
    if len(findings) > MAX_FINDINGS:
        yield Text("`shopmesh doctor` shows all findings")


def _shorten_reason(what: str) -> str:
    short = shorten_line(what, MAX_WHAT)
    return f"{short} (`shopmesh doctor` shows all of it)" if short.endswith("…") else short


def _format_milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} ms"
