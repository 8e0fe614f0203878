"""The pairs of docs/translation: what a mesh becomes in one Envoy. `python -m tests.translations` writes them.

mesh.yaml ─► documents ─► State ─► snapshot of one proxy ─► envoy.yaml
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from shopmesh.appmesh.store import Transaction
from shopmesh.client import check
from shopmesh.documents import as_yaml, documents
from shopmesh.documents.declared_resource import as_state
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.instances import declare, instance_spec
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.resources import TypeName
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.support.policies import ANYTHING
from tests.support.translated import message

FOLDER = Path(__file__).parents[1] / "docs" / "translation"

_MESH = "shop"
# The way of a request; what has no resources is left out.
_ORDER_OF_TYPES: tuple[TypeName, ...] = ("listeners", "routes", "clusters", "endpoints", "secrets")


def _intercepted(name: str, kind: str = "virtualNode") -> ProxyNode:
    return ProxyNode(_MESH, name, f"{name}-1", kind=kind)


def _explicit(name: str) -> ProxyNode:
    return ProxyNode(
        _MESH,
        name,
        f"{name}-1",
        mode="explicit",
        address="127.0.0.1",
        ports=((8080, 41001),),
        application_ports=((8080, 41002),),
        egress_port=41003,
    )


def _product(stage: str, address: str) -> ProxyNode:
    return ProxyNode(_MESH, "product", stage, address=address, ports=((5000, 5000),), attributes=(("stage", stage),))


_ORDER = _intercepted("order")
_GATEWAY = _intercepted("shop", kind="virtualGateway")


@dataclass(frozen=True)
class Pair:
    """One feature, which is a folder, and the proxy whose configuration is shown.

    `base` is the pair whose resources are not shown again; None: all are shown. `instances` are proxies that have
    declared their addresses.
    """

    feature: str
    proxy: ProxyNode = _ORDER
    base: str | None = "intercepted-mode"
    instances: tuple[ProxyNode, ...] = ()

    @property
    def mesh_file(self) -> Path:
        return FOLDER / self.feature / "mesh.yaml"

    @property
    def envoy_file(self) -> Path:
        return FOLDER / self.feature / "envoy.yaml"


_SPECIAL = {
    one.feature: one
    for one in (
        Pair("intercepted-mode", base=None),
        Pair("explicit-mode", _explicit("order"), base=None),
        Pair("virtual-gateway", _GATEWAY, base=None),
        Pair("gateway-rewrite", _GATEWAY, base="virtual-gateway"),
        Pair("egress-drop-all", base="egress-allow-all"),
        Pair("endpoints", instances=(_product("blue", "10.0.0.7"), _product("green", "10.0.0.8"))),
    )
}


def pair_of(feature: str) -> Pair:
    """What stands in the folder of that name; unless something else is written above, the sidecar of order."""
    return _SPECIAL.get(feature) or Pair(feature)


def pairs() -> list[Pair]:
    """One for each folder: a folder with a mesh.yaml is all that a new one needs."""
    return [pair_of(file.parent.name) for file in sorted(FOLDER.glob("*/mesh.yaml"))]


def sections(pair: Pair) -> dict[str, list[Any]]:
    """All that the proxy of a pair gets over xDS, by type; a type without resources is left out."""
    found = _snapshot(pair)
    made = {kind: [_body(found, kind, name) for name in found[kind].resources] for kind in _ORDER_OF_TYPES}
    return {kind: bodies for kind, bodies in made.items() if bodies}


def translation(pair: Pair) -> str:
    """The text of `envoy.yaml`: what the proxy of that pair gets, without what it has in common with the base."""
    shown, above = sections(pair), [f"# What {_described(pair)} gets for mesh.yaml. Written by `make translations`."]
    above += [f"# {one.instance} of {one.name} is at {one.address}." for one in pair.instances]
    if pair.base is not None:
        base = sections(pair_of(pair.base))
        same = {kind: [one for one in bodies if one in base.get(kind, ())] for kind, bodies in shown.items()}
        above += [f"# As in ../{pair.base}/envoy.yaml:"]
        above += [f"#   {kind}: {', '.join(map(_name, bodies))}" for kind, bodies in same.items() if bodies]
        shown = {kind: [one for one in bodies if one not in same[kind]] for kind, bodies in shown.items()}
    return "\n".join([*above, as_yaml([{kind: bodies for kind, bodies in shown.items() if bodies}])])


def _snapshot(pair: Pair) -> Snapshot:
    file = pair.mesh_file
    checked = check(documents(file.read_text(), str(file)))
    state = as_state(checked.resources)
    transaction = Transaction(state)
    for one in pair.instances:
        declare(transaction, one.identity, instance_spec(one) or {}, 0.0)
    state.apply(transaction.changes)
    found = DependencyGraph(state, ANYTHING).compute_root(snapshot, pair.proxy.snapshot_key)
    if found is None:
        raise ValueError(f"{file} has no {pair.proxy.kind} {pair.proxy.name}, whose proxy is to be shown; add it")
    if wrong := [*checked.notes, *map(str, (*checked.findings, *found.findings))]:
        raise ValueError(f"{file} is no good example; correct it: {'; '.join(wrong)}")
    return found


def _described(pair: Pair) -> str:
    proxy = pair.proxy
    return f"the gateway {proxy.name}" if proxy.kind == "virtualGateway" else f"the {proxy.mode} proxy of {proxy.name}"


def _name(body: Mapping[str, Any]) -> str:
    return str(body.get("name") or body["cluster_name"])


def _body(found: Snapshot, kind: TypeName, name: str) -> Any:
    return _ordered(MessageToDict(message(found, kind, name), preserving_proto_field_name=True))


def _ordered(value: Any) -> Any:
    """What it is called first, then by the alphabet: maps of protobuf come in any order."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (key not in ("name", "@type"), key))
        return {key: _ordered(value[key]) for key in keys}
    return [_ordered(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for each in pairs():
        each.envoy_file.write_text(translation(each))
