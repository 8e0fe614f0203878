"""The documents of the live state: what is stored, and what was counted."""

from __future__ import annotations

import json
from typing import Any

from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.console.live.memory import Memory
from shopmesh.console.live.topology import Topology, topology
from shopmesh.console.live.traffic import FLOW_SECONDS, Flows, figures
from shopmesh.server.store.store import Commit
from shopmesh.server.traffic.figures import Caller, Counters
from shopmesh.xds.incremental import DependencyGraph

ORDER = Caller("shopmesh", "virtualNode", "order")


def stored(kind: str, *path: str, spec: Any, at: float = 50.0, tags: tuple[tuple[str, str], ...] = ()) -> Resource:
    return Resource(Key(kind, path), spec, "", 1, at, at, tags)


def node(name: str, *backends: str, **tags: str) -> Resource:
    called = [{"virtualService": {"virtualServiceName": one}} for one in backends]
    spec = {"listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}], "backends": called}
    return stored("virtualNode", "shopmesh", name, spec=spec, tags=tuple(tags.items()))


def route(**weights: int) -> Resource:
    targets = [{"virtualNode": name, "weight": weight} for name, weight in weights.items()]
    match = {"prefix": "/cart", "method": "GET", "headers": [{"name": "a"}, {"name": "b"}]}
    spec = {"priority": 7, "httpRoute": {"match": match, "action": {"weightedTargets": targets}}}
    return stored("route", "shopmesh", "product-vr", "product-r", spec=spec, at=90.0)


def service(name: str, provider: str, provided_by: str) -> Resource:
    spec = {"provider": {provider: {f"{provider}Name": provided_by}}}
    return stored("virtualService", "shopmesh", name, spec=spec)


def mesh(*more: Resource) -> State:
    """order calls product, of which there are two versions, and customer, which a node provides itself."""
    listeners = [{"portMapping": {"port": 5000, "protocol": "http"}}]
    return State(
        [
            stored("mesh", "shopmesh", spec={}),
            node("order", "product", "customer", **{"appmesh.k8s.aws/way-in": '"true"'}),
            node("product-1"),
            node("product-2", **{"appmesh.k8s.aws/podSelector": '{"matchLabels":{"app.kubernetes.io/version":"2.0"}}'}),
            node("customer-1"),
            stored("virtualRouter", "shopmesh", "product-vr", spec={"listeners": listeners}),
            route(**{"product-1": 3, "product-2": 1}),
            service("product", "virtualRouter", "product-vr"),
            service("customer", "virtualNode", "customer-1"),
            *more,
        ]
    )


def found(state: State) -> Topology:
    return DependencyGraph(state).compute_root(topology)


def document(topology: Topology, collection: str, identity: str) -> Any:
    return json.loads(topology.collections[collection][identity])


def test_a_route_shows_its_targets_and_what_it_matches() -> None:
    """With the share that each weight gives, and the version that a change must name."""
    document_of_route = document(found(mesh()), "routes", "shopmesh/product-vr/product-r")

    assert "GET prefix /cart, 2 headers" == document_of_route["match"]
    assert ("product", "http", 7, 90.0, 1) == tuple(
        document_of_route[name] for name in ("virtualService", "protocol", "priority", "updatedAt", "version")
    )
    assert [("product-1", 5000, 3, 0.75), ("product-2", 5000, 1, 0.25)] == [
        (one["virtualNode"], one["port"], one["weight"], one["share"]) for one in document_of_route["targets"]
    ]


def test_a_service_that_a_node_provides_has_an_entry_without_a_route() -> None:
    """All of its requests go to that node."""
    entry = document(found(mesh()), "routes", "shopmesh//customer")

    assert (None, None, "customer") == (entry["route"], entry["virtualRouter"], entry["virtualService"])
    assert [("customer-1", 1)] == [(one["virtualNode"], one["share"]) for one in entry["targets"]]


def test_a_router_that_provides_nothing_shows_its_routes_as_well() -> None:
    other = stored("virtualRouter", "shopmesh", "x", spec={"listeners": []})
    spec = {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "product-1", "weight": 0}]}}}
    entry = document(found(mesh(other, stored("route", "shopmesh", "x", "r", spec=spec))), "routes", "shopmesh/x/r")

    assert (None, "", [0]) == (entry["virtualService"], entry["match"], [one["share"] for one in entry["targets"]])


def test_a_node_says_its_version_and_whether_it_is_the_way_in() -> None:
    """As its manifest's labels say it."""
    nodes = {name: document(found(mesh()), "nodes", f"shopmesh/virtualNode/{name}") for name in ("order", "product-2")}

    assert (True, None, ["product", "customer"]) == tuple(nodes["order"][it] for it in ("wayIn", "version", "backends"))
    assert (False, "2.0") == (nodes["product-2"]["wayIn"], nodes["product-2"]["version"])


def test_a_gateway_calls_what_its_routes_lead_to() -> None:
    gateway = stored("virtualGateway", "shopmesh", "in", spec={"listeners": []})
    action = {"target": {"virtualService": {"virtualServiceName": "product"}}}
    match = {"prefix": "/", "hostname": {"suffix": ".example"}}
    one = stored("gatewayRoute", "shopmesh", "in", "r", spec={"httpRoute": {"match": match, "action": action}})
    topology = found(mesh(gateway, one))

    assert ["product"] == document(topology, "nodes", "shopmesh/virtualGateway/in")["backends"]
    assert "hosts *.example, prefix /" == document(topology, "gatewayRoutes", "shopmesh/in/r")["match"]


def test_only_what_a_change_concerns_is_computed_again() -> None:
    """All other texts are the same objects."""
    state = mesh()
    graph = DependencyGraph(state)
    before = graph.compute_root(topology)
    changed = route(**{"product-1": 0, "product-2": 1})
    state.apply([change(changed)])
    graph.mark_changed([changed.key])
    after = graph.compute_root(topology)

    for name, documents in after.collections.items():
        for identity, text in documents.items():
            same = text is before.collections[name][identity]
            assert same is ((name, identity) != ("routes", "shopmesh/product-vr/product-r"))


def test_what_changes_while_the_first_state_is_computed_is_not_lost() -> None:
    """It is computed of a copy, in a thread."""
    state = mesh()
    memory = Memory(state.copy())
    memory.graph.compute_root(topology)
    changes = (change(node("late")),)
    state.apply(changes)
    memory.on_commit(Commit(2, 0.0, changes))
    memory.follow(state)

    assert "shopmesh/virtualNode/late" in memory.graph.compute_root(topology).collections["nodes"]


def test_figures_of_a_route_are_in_the_order_of_its_targets() -> None:
    """Since it changed; where it did not, since the usual time, which is not written."""
    counted = [
        (ORDER, egress("product-1"), Counters(30, 1, 0, {5.0: 29, 10.0: 1})),
        (ORDER, egress("product-2"), Counters(10)),
    ]
    texts = figures(found(mesh()).routes, {80.0: [], 90.0: counted}, 80.0)

    since, counted_by, targets = json.loads(texts["shopmesh/product-vr/product-r"])
    assert (90.0, "c", [30, 1, 0, 5, 10, 0.75]) == (since, counted_by, targets[0][:6])
    low, high = targets[0][6:]
    assert 0.5 < low < 0.75 < high < 0.9
    assert [None, "c", [[0, 0, 0, None, None, None, None, None]]] == json.loads(texts["shopmesh//customer"])


def test_a_flow_leads_from_a_caller_through_a_service_to_a_node() -> None:
    """Requests and errors a second, the 99th percentile in milliseconds; nothing for a cluster that is no target."""
    counts = [
        (ORDER, egress("product-2"), Counters(10 * FLOW_SECONDS, 5, 0, {5.0: 40, 25.0: 10})),
        (ORDER, egress("customer-1"), Counters(1)),
        (ORDER, egress("other"), Counters(1)),
        (ORDER, ingress("order"), Counters(100)),
    ]
    texts = Flows(found(mesh())).texts(counts)

    assert {
        "shopmesh/virtualNode/order/product/product-2": [10, 1, 25],
        "shopmesh/virtualNode/order/customer/customer-1": [0.2, 0, None],
        "shopmesh/-/-//order": [20, 0, None],
    } == {identity: json.loads(text) for identity, text in texts.items()}


def test_what_a_node_received_and_no_caller_sent_is_from_outside() -> None:
    """Only for a way in, and for a node that nothing in the mesh calls: elsewhere two clocks would differ."""
    product, customer = (Caller("shopmesh", "virtualNode", name) for name in ("product-1", "customer-1"))
    counts = [
        (ORDER, egress("product-1"), Counters(10)),
        (product, ingress("product-1"), Counters(15)),
        (customer, ingress("customer-1"), Counters(5)),
    ]
    texts = Flows(found(mesh())).texts(counts)

    assert ["shopmesh/-/-/customer/customer-1"] == [one for one in texts if "/-/-/" in one]


def egress(node: str) -> str:
    return f"cds_egress_shopmesh_{node}_http_5000"


def ingress(node: str) -> str:
    return f"cds_ingress_shopmesh_{node}_http_5000"


def change(resource: Resource) -> Change:
    return Change(resource.key, None, resource)
