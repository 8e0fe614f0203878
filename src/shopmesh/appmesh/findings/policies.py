"""Client policies: what callers are to hold to, and do not."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import POLICY_WITHOUT_PORT
from shopmesh.appmesh.resolved import backends, ports, provider
from shopmesh.appmesh.resolved import route as resolve
from shopmesh.appmesh.store import Key, Resource, View


def unused_tls_ports(view: View, node: Resource) -> Iterator[Finding]:
    for backend in backends(node.spec):
        wanted = ((backend.get("clientPolicy") or {}).get("tls") or {}).get("ports") or ()
        has = _ports(view, node.key.mesh, backend["virtualServiceName"]) if wanted else set()
        if has and has.isdisjoint(wanted):
            named, there = ", ".join(map(str, wanted)), ", ".join(map(str, sorted(has)))
            what = f"enforces TLS to {backend['virtualServiceName']} on port {named}, but its ports are {there}"
            yield POLICY_WITHOUT_PORT.at(node.key, what)


def _ports(view: View, mesh: str, name: str) -> set[int]:
    """Those by which a virtual service is called and those to which its calls go; none where that is not known."""
    service = view.get(Key("virtualService", (mesh, name)))
    behind = provider(view, service) if service else None
    if behind is None:
        return set()
    found = set(ports(behind))
    for route in view.children("route", behind.key.path) if behind.key.kind == "virtualRouter" else ():
        for one in resolve(view, route).targets:
            if one.listeners is None:
                return set()
            found |= {listener.port for listener in one.listeners}
    return found
