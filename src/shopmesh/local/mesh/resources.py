"""Creates the mesh of the manifests in the control plane, and withdraws instances of earlier runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shopmesh.appmesh.kinds import route_kind, weighted_targets
from shopmesh.client import Client, perform
from shopmesh.client.plan import plan
from shopmesh.documents import DeclaredResource


def create_resources(client: Client, resources: Sequence[DeclaredResource]) -> None:
    """Creates all of them or none.

    Raises DocumentError, at the place in the manifests, for what the control plane refuses.
    """
    perform(client, plan(resources, {}))


def without_nodes(resources: Sequence[DeclaredResource], nodes: Collection[str]) -> list[DeclaredResource]:
    """The resources without these virtual nodes and without route targets that lead to them."""
    return [
        replace(resource, spec=_without_targets(resource.spec, nodes)) if resource.key.kind == "route" else resource
        for resource in resources
        if not (resource.key.kind == "virtualNode" and resource.key.name in nodes)
    ]


def withdraw_disconnected(client: Client) -> int:
    """Withdraws the instances of earlier runs, to which requests would fail, and returns their number.

    To be called before any proxy of this run connects.
    """
    declared = [proxy for proxy in client.proxies() if not proxy["connected"]]
    for proxy in declared:
        client.withdraw(proxy["mesh"], proxy["kind"], proxy["name"], proxy["instance"])
    return len(declared)


def traffic_shares(client: Client, mesh: str, node: str) -> list[str]:
    """The virtual services that send a share of their requests to that node: `50 % of product.default…`."""
    return [
        f"{100 * target['share']:.0f} % of {split['virtualService']}"
        for split in client.splits(mesh)["splits"]
        for target in split["targets"]
        if target["virtualNode"] == node and target["share"] > 0
    ]


def _without_targets(spec: Mapping[str, Any], nodes: Collection[str]) -> dict[str, Any]:
    kind = route_kind(spec)
    targets = [target for target in weighted_targets(spec) if target["virtualNode"] not in nodes]
    action = {**spec[kind]["action"], "weightedTargets": targets}
    return {**spec, kind: {**spec[kind], "action": action}}
