"""Envoy's configuration, the Gateway API export, findings and splits say where requests go as the oracle says it.

Outputs are compared, over generated meshes: `tests.support.routing` knows nothing of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shopmesh.appmesh import findings
from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.documents import DeclaredResource
from shopmesh.documents.gateway_api import gateway_api
from shopmesh.server.traffic.splits import splits
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.support import routing as oracle
from tests.support.routing import GATEWAY, HTTP, MESH, SERVICE, Mesh
from tests.support.translated import chains, message

EGRESS = "rds_egress_http_15001"


def state(mesh: Mesh) -> State:
    return State(Resource(Key(kind, path), spec, "", 1, 0.0, 0.0) for kind, path, spec in mesh.resources())


def configured(mesh: Mesh, name: str, kind: str = "virtualNode") -> Snapshot:
    node = ProxyNode(MESH, name, "i", kind=kind, mode="intercepted")
    found = DependencyGraph(state(mesh)).compute_root(snapshot, node.snapshot_key)
    assert found is not None
    return found


def exported(mesh: Mesh) -> list[dict[str, Any]]:
    found = gateway_api([DeclaredResource(Key(kind, path), spec) for kind, path, spec in mesh.resources()], "istio")
    return [dict(one.object) for one in found.objects]


@pytest.fixture(scope="module", params=[range(start, start + 20) for start in range(0, 120, 20)], ids=str)
def meshes(request: pytest.FixtureRequest) -> list[Mesh]:
    return [oracle.generated(seed) for seed in request.param]


@pytest.fixture(scope="module")
def routed(meshes: list[Mesh]) -> list[Mesh]:
    return [mesh for mesh in meshes if "virtualRouter" in mesh.provider["provider"]]


def test_envoy_tries_the_routes_of_each_port_in_their_order_and_sends_to_their_listeners(routed: list[Mesh]) -> None:
    """By clusters with their weights; with time-outs and retries, and App Mesh's where nothing is written."""
    for mesh in routed:
        ports = [port for port, protocol in oracle.mappings(mesh.router) if protocol in HTTP]
        if not ports:
            continue
        hosts = message(configured(mesh, "caller"), "routes", EGRESS).virtual_hosts
        for port in ports:
            [host] = [one for one in hosts if f"{SERVICE}:{port}" in one.domains]
            assert oracle.at_port(mesh, port) == [one.name for one in host.routes]
            for made in host.routes:
                expected_of_envoy(mesh, host, made)


def expected_of_envoy(mesh: Mesh, host: Any, made: Any) -> None:
    spec = mesh.routes[made.name]
    body, clusters = oracle.body_of(spec), oracle.clusters(mesh, spec)
    if not any(clusters.values()):
        assert 503 == made.direct_response.status
        return
    timeout = body.get("timeout", {})
    if len(clusters) == 1:
        assert list(clusters) == [made.route.cluster]
    else:
        assert clusters == {one.name: one.weight.value for one in made.route.weighted_clusters.clusters}
    assert oracle.request_timeout(timeout) == made.route.timeout.ToMilliseconds()
    assert (oracle.milliseconds(timeout.get("idle")) or 0) == made.route.idle_timeout.ToMilliseconds()
    policy = (made.route if made.route.HasField("retry_policy") else host).retry_policy
    if written := body.get("retryPolicy"):
        assert oracle.statuses(written) == list(policy.retriable_status_codes)
        assert written["maxRetries"] == policy.num_retries.value
        assert oracle.milliseconds(written["perRetryTimeout"]) == policy.per_try_timeout.ToMilliseconds()
    else:
        assert ([503], 2) == (list(policy.retriable_status_codes), policy.num_retries.value)


def test_envoy_sends_the_connections_of_each_tcp_port_to_the_listeners_of_its_route(routed: list[Mesh]) -> None:
    """A target of weight 0 is left out; nothing listens for a route without any weight."""
    for mesh in routed:
        for port in (port for port, protocol in oracle.mappings(mesh.router) if protocol == "tcp"):
            owner = oracle.tcp_owner(mesh, port)
            clusters = oracle.clusters(mesh, mesh.routes[owner], port) if owner else {}
            expected = {name: weight for name, weight in clusters.items() if weight}
            _, proxy = chains(configured(mesh, "caller"), "lds_egress_0.0.0.0_15001").get(
                f"tcp_{SERVICE}:{port}", ({}, {})
            )
            assert set(expected) == set(
                [proxy["cluster"]]
                if "cluster" in proxy
                else [one["name"] for one in proxy.get("weightedClusters", {}).get("clusters", ())]
            )


def test_the_export_names_the_port_that_envoy_sends_to(routed: list[Mesh]) -> None:
    """And tries the routes of a port in their order, with the request time-out of each."""
    for mesh in routed:
        written: dict[str, list[tuple[str, int, int]]] = {}
        for one in exported(mesh):
            rules = one["spec"].get("rules", ())
            if one["kind"] == "Gateway" or not any("name" in rule for rule in rules):
                continue
            names = [rule["name"] for rule in rules]
            of_object = {name: mesh.routes[name] for name in names}
            assert oracle.tried(of_object) == names
            for rule in rules:
                refs = [(ref["name"], ref["port"], ref["weight"]) for ref in rule["backendRefs"]]
                written[rule["name"]] = refs
                if one["kind"] == "HTTPRoute":
                    expected_of_export(mesh.routes[rule["name"]], rule)
        for name, refs in written.items():
            expected = [
                (target["virtualNode"], listener[0] if listener else None, target["weight"])
                for target, listener in oracle.targets(mesh, mesh.routes[name])
            ]
            assert expected == [
                (node, port if there else None, weight)
                for (node, port, weight), (_, there, _) in zip(refs, expected, strict=True)
            ]
        assert {name for name, spec in mesh.routes.items()} == set(written)


def expected_of_export(spec: oracle.Document, rule: dict[str, Any]) -> None:
    body = oracle.body_of(spec)
    milliseconds = oracle.request_timeout(body.get("timeout", {}))
    assert rule["timeouts"]["request"] == (
        f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
    )
    if policy := body.get("retryPolicy"):
        assert (policy["maxRetries"], oracle.statuses(policy)) == (
            rule["retry"]["attempts"],
            rule["retry"].get("codes", []),
        )


def test_doctor_holds_the_same_listener_against_a_route(meshes: list[Mesh]) -> None:
    """Where there is none, where it speaks another protocol, and where it allows less time."""
    for mesh in meshes:
        found = {(one.code, one.where.rpartition("/")[2], one.what) for one in findings.of_documents(state(mesh))}
        told = {one for one in found if one[0] in ("SM110", "SM111", "SM112", "SM115", "SM116")}

        assert {one for name, spec in mesh.routes.items() for one in expected_of_doctor(mesh, name, spec)} == told


def expected_of_doctor(mesh: Mesh, name: str, spec: oracle.Document) -> Iterator[tuple[str, str, str]]:
    protocol, preferred = oracle.protocol_of(spec), oracle.preferred_port(mesh, spec)
    for target, listener in oracle.targets(mesh, spec):
        node, has = target["virtualNode"], oracle.mappings(mesh.nodes[target["virtualNode"]])
        if listener is None:
            wanted = f"port {target['port']}" if "port" in target else "any port"
            listens = ", ".join(f"{port} ({spoken})" for port, spoken in has) or "no port"
            yield "SM110", name, f"is a {protocol}Route to {wanted} of {node}, which listens on {listens}"
            continue
        port, spoken = listener
        if spoken != protocol:
            code = "SM111" if (protocol, spoken) == ("grpc", "http") else "SM112"
            yield code, name, f"is a {protocol}Route, and port {port} of {node} speaks {spoken}"
        usable = [one for one, _ in oracle.usable(mesh.nodes[node], protocol)]
        if "port" not in target and preferred and len(usable) > 1 and preferred not in usable:
            several = ", ".join(map(str, usable))
            yield (
                "SM115",
                name,
                f"names no port of {node}, which has {several}, not the router's {preferred}; {port} is used",
            )
        yield from expected_cut(mesh, name, spec, node, listener)


def expected_cut(
    mesh: Mesh, name: str, spec: oracle.Document, node: str, listener: tuple[int, str]
) -> Iterator[tuple[str, str, str]]:
    port, spoken = listener
    timeout = oracle.body_of(spec).get("timeout", {})
    behind = oracle.listener_of(mesh.nodes[node], port).get("timeout", {}).get(spoken, {})
    allowed = oracle.request_timeout(behind)
    asked = oracle.milliseconds(timeout.get("perRequest"))
    if spoken == "tcp" or asked is None or not allowed or 0 < asked <= allowed:
        return
    text = f"{asked / 1000:g} s" if asked else "any time"
    yield "SM116", name, f"allows {text}, and port {port} of {node} {allowed / 1000:g} s"


def test_splits_show_the_listeners_that_envoy_sends_to(routed: list[Mesh]) -> None:
    """With the port, or the one that is asked for where the node has no such listener."""
    for mesh in routed:
        for split in splits(state(mesh), {0.0: ()}):
            if split["route"] is None:
                continue
            expected = [
                (target["virtualNode"], listener[0] if listener else target.get("port"), target["weight"])
                for target, listener in oracle.targets(mesh, mesh.routes[split["route"]])
            ]
            assert expected == [(one["virtualNode"], one["port"], one["weight"]) for one in split["targets"]]


def test_gateway_routes_are_tried_in_their_order_and_rewrite_as_written(meshes: list[Mesh]) -> None:
    """Host name to the service's and prefix to `/` where nothing is written, in Envoy and in the export."""
    for mesh in meshes:
        [host] = message(configured(mesh, GATEWAY, "virtualGateway"), "routes", "rds_ingress_http_80").virtual_hosts
        made = {one.name: one.route for one in host.routes}

        assert oracle.gateway_tried(mesh.gateway_routes) == list(dict.fromkeys(one.name for one in host.routes))
        filters = {
            one["metadata"]["name"]: one["spec"]["rules"][0].get("filters", [{"urlRewrite": {}}])[0]["urlRewrite"]
            for one in exported(mesh)
            if one["metadata"]["name"] in mesh.gateway_routes
        }
        for name, spec in mesh.gateway_routes.items():
            rewrite, match = spec["httpRoute"]["action"].get("rewrite", {}), oracle.match_of(spec)
            host_name = SERVICE if rewrite.get("hostname", {}).get("defaultTargetHostname") != "DISABLED" else ""
            path = rewrite.get("path", {}).get("exact", "")
            if "prefix" in match and rewrite.get("prefix", {}).get("defaultPrefix") != "DISABLED":
                path = rewrite.get("prefix", {}).get("value", "/")
                path = "" if path == match["prefix"] else path
            assert (host_name, path) == (made[name].host_rewrite_literal, made[name].prefix_rewrite)
            said = filters[name].get("path", {})
            assert (host_name, path) == (
                filters[name].get("hostname", ""),
                said.get("replaceFullPath", said.get("replacePrefixMatch", "")),
            )


def test_a_gateway_is_exported_with_the_port_behind_its_service(meshes: list[Mesh]) -> None:
    """Of a node the first that speaks HTTP; of the only route that takes everything the listeners of its targets."""
    for mesh in meshes:
        for one in exported(mesh):
            if one["metadata"]["name"] not in mesh.gateway_routes:
                continue
            refs = [(ref["name"], ref["port"]) for ref in one["spec"]["rules"][0]["backendRefs"]]
            expected = expected_behind(mesh)
            assert [(name, port or refs[place][1]) for place, (name, port) in enumerate(expected)] == refs


def expected_behind(mesh: Mesh) -> list[tuple[str, int | None]]:
    provider = mesh.provider["provider"]
    if "virtualNode" in provider:
        name = provider["virtualNode"]["virtualNodeName"]
        return [(name, first_http(mesh.nodes[name]))]
    if len(mesh.routes) == 1:
        [spec] = mesh.routes.values()
        match = {name: value for name, value in oracle.match_of(spec).items() if name != "port"}
        if match in ({}, {"prefix": "/"}) and oracle.protocol_of(spec) in HTTP:
            return [(one["virtualNode"], found and found[0]) for one, found in oracle.targets(mesh, spec)]
    return [("s", first_http(mesh.router))]


def first_http(spec: oracle.Document) -> int | None:
    return next((port for port, protocol in oracle.mappings(spec) if protocol in HTTP), None)


def test_the_router_s_port_is_exported_where_a_node_has_it() -> None:
    """A node that listens on 8080 and 5000 behind a router on 5000 gets 5000, from Envoy, doctor and the export."""
    listeners = [{"portMapping": {"port": port, "protocol": "http"}} for port in (8080, 5000)]
    node = {"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": "n0.default.svc.cluster.local"}}}
    body = {"match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": "n0", "weight": 1}]}}
    mesh = Mesh(
        {"n0": node},
        {"listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}]},
        {"r0": {"httpRoute": body}},
        {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]},
        {},
    )
    [made] = message(configured(mesh, "caller"), "routes", EGRESS).virtual_hosts[0].routes
    [http_route] = [one for one in exported(mesh) if one["kind"] == "HTTPRoute"]

    assert "cds_egress_m_n0_http_5000" == made.route.cluster
    assert 5000 == http_route["spec"]["rules"][0]["backendRefs"][0]["port"]
