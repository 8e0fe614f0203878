"""What is wrong or about to be: each finding says where, what, why it hurts, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shopmesh.appmesh.kinds import KINDS, weighted_targets
from shopmesh.appmesh.references import descendants
from shopmesh.appmesh.store import Key, View
from shopmesh.server.proxies import ProxyStatus
from shopmesh.xds.limitations import Limitation


@dataclass(frozen=True, slots=True)
class Finding:
    """`severity` is "error" (traffic suffers now) or "warning"."""

    severity: str
    where: str
    what: str
    why: str
    fix: str


def findings(view: View, proxies: Iterable[ProxyStatus], limitations: Iterable[Limitation]) -> list[Finding]:
    """All findings, errors first; `limitations` are what the translation could not give the proxies as written."""
    statuses = list(proxies)
    found = [
        *_of_proxies(statuses),
        *_of_routes(view, statuses),
        *_of_backends(view),
        *(Finding("warning", one.where, one.what, one.why, one.fix) for one in limitations),
    ]
    return sorted(found, key=lambda finding: (finding.severity, finding.where))


def _of_proxies(statuses: Iterable[ProxyStatus]) -> Iterator[Finding]:
    for status in statuses:
        where = f"proxy {status.instance} of {status.kind} {status.mesh}/{status.name}"
        if status.connected and not status.known:
            yield Finding(
                "error",
                where,
                f"asks for the {status.kind} {status.name}, which does not exist in the mesh {status.mesh}",
                "it gets no configuration and serves nothing",
                f"create {status.name}, or start the proxy under the name of a {status.kind} that exists",
            )
        if status.refused is not None:
            yield Finding(
                "error",
                where,
                f"refused its {status.refused.type}: {status.refused.message}",
                "it goes on with the last configuration that it accepted, not with what the mesh says now",
                "change the resource that the message names; the next change is sent at once",
            )
        elif status.connected and status.known and not status.in_step:
            yield Finding(
                "warning",
                where,
                "has not yet confirmed the configuration that it was sent",
                "until it does it serves the one before",
                "wait a moment; when it stays, look at the proxy's log",
            )


def _of_routes(view: View, statuses: Iterable[ProxyStatus]) -> Iterator[Finding]:
    serving = {(status.mesh, status.name) for status in statuses if status.connected}
    declared = {(status.mesh, status.name) for status in statuses}
    for mesh in view.children("mesh", ()):
        for route in descendants(KINDS["route"], mesh.key.name, view):
            for target in weighted_targets(route.spec):
                node = (mesh.key.name, target["virtualNode"])
                if target["weight"] and node in declared and node not in serving:
                    yield Finding(
                        "error",
                        f"route {'/'.join(route.key.path)}",
                        f"sends weight {target['weight']} to {node[1]}, none of whose proxies is connected",
                        "requests to it fail when it is really gone",
                        f"start {target['virtualNode']} again, or take its weight away",
                    )


def _of_backends(view: View) -> Iterator[Finding]:
    for mesh in view.children("mesh", ()):
        for node in view.children("virtualNode", (mesh.key.name,)):
            for backend in node.spec.get("backends", ()):
                service = backend["virtualService"]["virtualServiceName"]
                if view.get(Key("virtualService", (mesh.key.name, service))) is None:
                    yield Finding(
                        "warning",
                        f"virtualNode {mesh.key.name}/{node.key.name}",
                        f"names the backend {service}, and there is no such virtual service",
                        "its calls to that name are answered 404, or leave the mesh",
                        f"create the virtual service {service}, or take the backend out",
                    )
