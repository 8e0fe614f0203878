"""Generated meshes, and an oracle that says where their requests go: written from App Mesh's documentation alone.

It imports nothing of the program. The program's outputs are compared with it, so what all of them got wrong in the
same way is found too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]

MESH, ROUTER, GATEWAY = "m", "r", "in"
SERVICE = "s.default.svc.cluster.local"
PORTS = (80, 5000, 6000, 7000, 8080)
PROTOCOLS = ("http", "http2", "grpc", "tcp")
HTTP = ("http", "http2", "grpc")

_BEST = {"http": "http http2 grpc", "http2": "http2 grpc http", "grpc": "grpc http2 http", "tcp": "tcp"}
_STATUSES = {
    "server-error": [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
    "gateway-error": [502, 503, 504],
    "client-error": [409],
    "stream-error": [],
}


@dataclass
class Mesh:
    """One virtual service `SERVICE`, its router with routes, their nodes, and a gateway, as API documents by name."""

    nodes: dict[str, Document]
    router: Document
    routes: dict[str, Document]
    gateway: Document
    gateway_routes: dict[str, Document]
    provider: Document = field(default_factory=lambda: {"provider": {"virtualRouter": {"virtualRouterName": ROUTER}}})

    def resources(self) -> Iterator[tuple[str, tuple[str, ...], Document]]:
        """Kind, path and specification of each, with a node `caller` that has the service as its backend."""
        yield "mesh", (MESH,), {}
        caller = {"backends": [{"virtualService": {"virtualServiceName": SERVICE}}], "listeners": []}
        for name, spec in {**self.nodes, "caller": caller}.items():
            yield "virtualNode", (MESH, name), spec
        yield "virtualRouter", (MESH, ROUTER), self.router
        for name, spec in self.routes.items():
            yield "route", (MESH, ROUTER, name), spec
        yield "virtualService", (MESH, SERVICE), self.provider
        yield "virtualGateway", (MESH, GATEWAY), self.gateway
        for name, spec in self.gateway_routes.items():
            yield "gatewayRoute", (MESH, GATEWAY, name), spec


def generated(seed: int) -> Mesh:
    """The mesh of that number, the same each time."""
    draw = random.Random(seed)
    nodes = {name: _node(draw, name) for name in ("n0", "n1", "n2")}
    router = {"listeners": _listeners(draw, 1, 3)}
    routes = {f"r{number}": _route(draw, router, nodes) for number in range(draw.randint(1, 5))}
    gateway = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}
    gateway_routes = {f"g{number}": _gateway_route(draw) for number in range(draw.randint(1, 4))}
    mesh = Mesh(nodes, router, routes, gateway, gateway_routes)
    if draw.random() < 0.3:
        mesh.provider = {"provider": {"virtualNode": {"virtualNodeName": draw.choice(list(nodes))}}}
    return mesh


def _listeners(draw: random.Random, fewest: int, most: int) -> list[Document]:
    ports = draw.sample(PORTS, draw.randint(fewest, most))
    return [{"portMapping": {"port": port, "protocol": draw.choice(PROTOCOLS)}} for port in ports]


def _node(draw: random.Random, name: str) -> Document:
    listeners = _listeners(draw, 0, 4)
    for listener in listeners:
        if draw.random() < 0.5:
            listener["timeout"] = {listener["portMapping"]["protocol"]: _timeout(draw, listener["portMapping"])}
    return {"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": f"{name}.default.svc.cluster.local"}}}


def _timeout(draw: random.Random, mapping: Document) -> Document:
    durations = [{"unit": "s", "value": 0}, {"unit": "s", "value": 15}, {"unit": "ms", "value": 15001}]
    durations += [{"unit": "s", "value": 400}, {"unit": "ms", "value": 250}, {"unit": "s", "value": 4000}]
    names = ["idle"] if mapping["protocol"] == "tcp" else ["perRequest", "idle"]
    return {name: draw.choice(durations) for name in names if draw.random() < 0.6}


def _route(draw: random.Random, router: Document, nodes: Mapping[str, Document]) -> Document:
    mapping = draw.choice(router["listeners"])["portMapping"]
    protocol = mapping["protocol"]
    match = {} if protocol == "tcp" else _match(draw, protocol)
    if draw.random() < 0.5:
        match["port"] = mapping["port"]
    targets = []
    for name in draw.sample(list(nodes), draw.randint(1, 3)):
        target: Document = {"virtualNode": name, "weight": draw.choice((0, 1, 3, 20))}
        if draw.random() < 0.4:
            target["port"] = draw.choice(PORTS)
        targets.append(target)
    body: Document = {"match": match, "action": {"weightedTargets": targets}}
    if timeout := _timeout(draw, mapping):
        body["timeout"] = timeout
    if protocol != "tcp" and draw.random() < 0.4:
        events = draw.sample(list(_STATUSES), draw.randint(1, 2))
        once = {"unit": "ms", "value": draw.choice((100, 2000))}
        body["retryPolicy"] = {"httpRetryEvents": events, "maxRetries": draw.randint(1, 4), "perRetryTimeout": once}
    return {f"{protocol}Route": body, **_priority(draw)}


def _priority(draw: random.Random) -> Document:
    priority = draw.choice((None, None, 0, 5, 1000))
    return {} if priority is None else {"priority": priority}


def _match(draw: random.Random, protocol: str) -> Document:
    if protocol == "grpc":
        match = draw.choice(({}, {"serviceName": "shop.A"}, {"serviceName": "shop.Ab", "methodName": "Get"}))
        return {**match, **({"metadata": [_header(draw)]} if draw.random() < 0.4 else {})}
    paths: tuple[Document, ...] = (
        {"prefix": "/"},
        {"prefix": "/a"},
        {"prefix": "/a/b"},
        {"path": {"exact": "/a"}},
        {"path": {"regex": "/a.*"}},
    )
    return {
        **draw.choice(paths),
        **({"method": "GET"} if draw.random() < 0.3 else {}),
        **({"headers": [_header(draw)]} if draw.random() < 0.4 else {}),
        **({"queryParameters": [{"name": "q", "match": {"exact": "1"}}]} if draw.random() < 0.2 else {}),
    }


def _header(draw: random.Random) -> Document:
    return {"name": draw.choice(("x-a", "x-b")), "match": {"exact": "1"}}


def _gateway_route(draw: random.Random) -> Document:
    match = draw.choice(({"prefix": "/"}, {"prefix": "/shop/"}, {"path": {"exact": "/a"}}))
    rewrite: Document = {}
    if "prefix" in match:
        prefix = draw.choice((None, {"value": "/v2/"}, {"value": "/shop/"}, {"defaultPrefix": "DISABLED"}))
        rewrite |= {"prefix": prefix} if prefix else {}
    elif draw.random() < 0.5:
        rewrite["path"] = {"exact": "/b"}
    if draw.random() < 0.3:
        rewrite["hostname"] = {"defaultTargetHostname": draw.choice(("DISABLED", "ENABLED"))}
    hostname = draw.choice((None, {"exact": "a.com"}, {"suffix": ".a.com"}, {"suffix": ".com"}))
    action = {
        "target": {"virtualService": {"virtualServiceName": SERVICE}},
        **({"rewrite": rewrite} if rewrite else {}),
    }
    full = {**match, **({"hostname": hostname} if hostname else {})}
    return {"httpRoute": {"match": full, "action": action}, **_priority(draw)}


# The oracle.


def protocol_of(spec: Document) -> str:
    """Of a route or gateway route."""
    return next(protocol for protocol in PROTOCOLS if f"{protocol}Route" in spec)


def body_of(spec: Document) -> Document:
    body: Document = spec[f"{protocol_of(spec)}Route"]
    return body


def match_of(spec: Document) -> Document:
    match: Document = body_of(spec).get("match", {})
    return match


def mappings(spec: Document) -> list[tuple[int, str]]:
    """Port and protocol of each listener."""
    return [(one["portMapping"]["port"], one["portMapping"]["protocol"]) for one in spec["listeners"]]


def listener_of(node: Document, port: int) -> Document:
    return next(one for one in node["listeners"] if one["portMapping"]["port"] == port)


def usable(node: Document, protocol: str) -> list[tuple[int, str]]:
    return [one for one in mappings(node) if one[1] in _BEST[protocol].split()]


def preferred_port(mesh: Mesh, spec: Document) -> int | None:
    """Of targets that name none: that of the match, else of the router's first listener for such routes."""
    own = [port for port, _ in usable(mesh.router, protocol_of(spec))]
    return match_of(spec).get("port") or (own[0] if own else None)


def chosen(node: Document, protocol: str, asked: int | None, preferred: int | None) -> tuple[int, str] | None:
    """The listener of a node that a target means, as port and protocol."""
    found = usable(node, protocol)
    if asked is not None:
        return next((one for one in found if one[0] == asked), None)
    if at_preferred := [one for one in found if one[0] == preferred]:
        return at_preferred[0]
    for best in _BEST[protocol].split():
        if first := [one for one in found if one[1] == best]:
            return first[0]
    return None


def targets(mesh: Mesh, spec: Document, preferred: int | None = None) -> list[tuple[Document, tuple[int, str] | None]]:
    """Each weighted target of a route, and the listener that it means."""
    preferred = preferred or preferred_port(mesh, spec)
    protocol = protocol_of(spec)
    return [
        (one, chosen(mesh.nodes[one["virtualNode"]], protocol, one.get("port"), preferred))
        for one in body_of(spec)["action"]["weightedTargets"]
    ]


def clusters(mesh: Mesh, spec: Document, preferred: int | None = None) -> dict[str, int]:
    """The names that App Mesh gave the clusters of a route, with their weights."""
    return {
        f"cds_egress_{MESH}_{one['virtualNode']}_{listener[1]}_{listener[0]}": one["weight"]
        for one, listener in targets(mesh, spec, preferred)
        if listener is not None
    }


def milliseconds(duration: Document | None) -> int | None:
    return None if duration is None else duration["value"] * {"s": 1000, "ms": 1}[duration["unit"]]


def request_timeout(timeout: Document) -> int:
    found = milliseconds(timeout.get("perRequest"))
    return 15_000 if found is None else found


def statuses(policy: Document) -> list[int]:
    return sorted({status for event in policy["httpRetryEvents"] for status in _STATUSES[event]})


def tried(routes: Mapping[str, Document]) -> list[str]:
    """The names of routes in the order in which they are tried."""

    def place(name: str) -> tuple[object, ...]:
        spec = routes[name]
        match = match_of(spec)
        priority = spec.get("priority", 1000)
        conditions = sum(len(match.get(each, ())) for each in ("headers", "metadata", "queryParameters"))
        conditions += "method" in match
        if "exact" in match.get("path", {}) or "methodName" in match:
            return priority, 0, 0, -conditions, name
        if "regex" in match.get("path", {}):
            return priority, 1, 0, -conditions, name
        prefix = f"/{match['serviceName']}/" if "serviceName" in match else match.get("prefix", "/")
        return priority, 2, -len(prefix), -conditions, name

    return sorted(routes, key=place)


def gateway_tried(routes: Mapping[str, Document]) -> list[str]:
    """The same for gateway routes: after the priority the host name decides."""
    by_path = tried(routes)

    def place(name: str) -> tuple[object, ...]:
        host = match_of(routes[name]).get("hostname", {})
        kind = 0 if "exact" in host else 1 if "suffix" in host else 2
        return routes[name].get("priority", 1000), kind, -len(host.get("suffix", "")), by_path.index(name)

    return sorted(routes, key=place)


def at_port(mesh: Mesh, port: int) -> list[str]:
    """The routes for requests that come in on a port of the router, in the order in which they are tried."""
    found = {name: spec for name, spec in mesh.routes.items() if protocol_of(spec) in HTTP}
    return [name for name in tried(found) if match_of(found[name]).get("port") in (None, port)]


def tcp_owner(mesh: Mesh, port: int) -> str | None:
    """The TCP route that has the connections to a port."""
    found = {name: spec for name, spec in mesh.routes.items() if protocol_of(spec) == "tcp"}
    return next((name for name in tried(found) if match_of(found[name]).get("port") in (None, port)), None)
