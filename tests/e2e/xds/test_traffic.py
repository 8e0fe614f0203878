"""What real Envoys do with what they are given."""

from __future__ import annotations

import socket

import pytest

from shopmesh.xds.resources import XdsResource
from shopmesh.xds.stream.delta_stream import DeltaStream
from tests.e2e.xds.running import Load, Mesh, Upstream, get, upstreams
from tests.support.process import eventually
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000/"


@pytest.mark.feature(14)
@pytest.mark.feature(20)
def test_a_weight_change_moves_the_traffic(mesh: Mesh) -> None:
    """All requests go to the version that has all the weight, as soon as the change has converged."""
    mesh.put(*meshes.shop({"product": 1, "product-v2": 0}))
    with upstreams("v1", "v2") as (first, second):
        mesh.sidecar("product", first)
        mesh.sidecar("product-v2", second)
        order = mesh.sidecar("order")
        eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the first version answers")

        mesh.converge(mesh.put(meshes.route("product-r", "all", {"product": 0, "product-v2": 1})))

        assert {(200, "v2")} == {order.get(PRODUCT) for _ in range(20)}


def _routes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the control plane send routes without waiting for their clusters, and before them."""

    def at_once(self: DeltaStream, one: XdsResource) -> bool:
        return True

    monkeypatch.setattr(DeltaStream, "_is_ready", at_once)
    take = DeltaStream.take

    def routes_before_clusters(self: DeltaStream, now: float) -> list[bytes]:
        return sorted(take(self, now), key=lambda data: b"envoy.config.route.v3.RouteConfiguration" not in data)

    monkeypatch.setattr(DeltaStream, "take", routes_before_clusters)


@pytest.mark.feature(4, better="nodes come and go under load without a failed request")
@pytest.mark.parametrize("mutant", [False, True], ids=["ours", "routes before clusters"])
def test_adding_and_removing_nodes_loses_no_request(mesh: Mesh, mutant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes come, get traffic and go under load: every request is answered; in the wrong order some are not."""
    if mutant:
        _routes_first(monkeypatch)
    mesh.put(*meshes.shop({"product": 1}))
    with upstreams("v1", "v2") as (first, second):
        mesh.sidecar("product", first)
        order = mesh.sidecar("order")
        eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the first version answers")
        with Load(order, PRODUCT) as load:
            # What the wrong order loses is a matter of milliseconds, so it is given more turns to be caught in.
            for turn in range(200 if mutant else 10):
                if load.failed:
                    break
                name = f"canary-{turn}"
                address = meshes.instance(name, "i", "127.0.0.1", {"5000": second.port})
                weights = {"product": 1, name: 1}
                mesh.converge(mesh.put(meshes.node(name), address, meshes.route("product-r", "all", weights)))
                load.more(40)
                whole = meshes.route("product-r", "all", {"product": 1})
                mesh.put(whole)
                mesh.converge(mesh.delete(meshes.node(name).key, address.key))
                load.more(40)

    assert mutant or load.answers["v2"] > 50
    assert bool(load.failed) == mutant, load.answers


def test_the_data_plane_goes_on_without_a_control_plane(mesh: Mesh, upstream: Upstream) -> None:
    """While the control plane is gone requests succeed; when it is back, proxies return and take changes."""
    mesh.put(*meshes.shop({"product": 1}))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the first version answers")
    with Load(order, PRODUCT) as load:
        for _ in range(3):
            mesh.stop()
            load.more(100)
            mesh.start()
            eventually(lambda: mesh.statuses()["order-1"].in_sync, "the proxy is back in step")
            eventually(lambda: mesh.statuses()["product-1"].in_sync, "the other proxy is back in step")
            load.more(100)

    assert load.failed == {}
    reloads = [status.types["clusters"].acked for status in mesh.statuses().values()]
    assert all(reloads)


def test_a_refused_configuration_is_shown_and_the_last_good_one_kept(mesh: Mesh, upstream: Upstream) -> None:
    """Envoy's own text is in the status, traffic goes on, and the next good change ends it."""
    mesh.put(*meshes.shop({"product": 1}))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the first version answers")

    mesh.put(meshes.route("product-r", "all", {"product": 1}, match={"path": {"regex": "(?=no)"}}))

    refused = eventually(lambda: mesh.statuses()["order-1"].refused, "the refusal is shown")
    assert refused.type == "routes"
    assert "invalid perl operator" in refused.message
    assert not mesh.statuses()["order-1"].in_sync
    assert order.get(PRODUCT) == (200, "v1")

    mesh.converge(mesh.put(meshes.route("product-r", "all", {"product": 1}, match={"prefix": "/only"})))

    assert mesh.statuses()["order-1"].refused is None
    assert order.get(PRODUCT)[0] == 404
    assert order.get(f"{PRODUCT}only") == (200, "v1")


@pytest.mark.feature(25, better="a change is there at once")
@pytest.mark.parametrize(("egress", "status"), [("DROP_ALL", 404), ("ALLOW_ALL", 200)])
def test_the_egress_filter_decides_over_hosts_outside_the_mesh(
    mesh: Mesh, upstream: Upstream, egress: str, status: int
) -> None:
    """DROP_ALL answers 404 for what is no backend, ALLOW_ALL passes it on; changing the mesh changes it."""
    mesh.put(*meshes.shop(egress=egress))
    order = mesh.sidecar("order")

    assert order.get(f"http://localhost:{upstream.port}/")[0] == status

    other = "ALLOW_ALL" if egress == "DROP_ALL" else "DROP_ALL"
    mesh.converge(mesh.put(meshes.mesh(egress=other)))
    assert order.get(f"http://localhost:{upstream.port}/")[0] == {404: 200, 200: 404}[status]


def test_a_request_that_names_the_proxy_itself_is_refused_once(mesh: Mesh) -> None:
    """Whatever spelling of this host leads to the forward proxy itself: 403, and no loop."""
    mesh.put(*meshes.shop(egress="ALLOW_ALL"))
    order = mesh.sidecar("order")

    for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]"):
        assert order.get(f"http://{host}:{order.egress}/") == (403, "RBAC: access denied"), host
    assert order.get(f"http://127.0.0.1:{order.ready}/ready")[0] == 200


@pytest.mark.feature(3)
def test_a_node_is_found_by_its_dns_name(mesh: Mesh, upstream: Upstream) -> None:
    """As long as no instance of a virtual node was declared, its DNS host name and port lead to it."""
    by_dns = meshes.node(
        "product",
        listeners=[meshes.listener(upstream.port)],
        serviceDiscovery={"dns": {"hostname": "localhost", "ipPreference": "IPv4_ONLY"}},
    )
    mesh.put(*meshes.shop({"product": 1}), by_dns)
    order = mesh.sidecar("order")

    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "found by DNS")


@pytest.mark.feature(19)
def test_time_outs_hold_at_both_ends(mesh: Mesh, upstream: Upstream) -> None:
    """A route's perRequest ends a request with 504, and so does the listener's of the node behind it."""
    quick = {"perRequest": {"value": 300, "unit": "ms"}}
    mesh.put(
        *meshes.shop(),
        meshes.route("product-r", "all", {"product": 1}, match={"prefix": "/"}),
        meshes.route("product-r", "quick", {"product": 1}, match={"prefix": "/quick"}, timeout=quick),
    )
    product = mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "it answers")
    upstream.behave = lambda path, count: (200, 0.8)

    assert order.get(f"{PRODUCT}quick") == (504, "upstream request timeout")
    assert order.get(f"{PRODUCT}slow") == (200, "v1")

    node = meshes.node("product", listeners=[meshes.listener(timeout={"http": quick})])
    mesh.converge(mesh.put(node))
    assert get(product.ports[5000], "/slow") == (504, "upstream request timeout")
    assert order.get(f"{PRODUCT}slow")[0] == 504


@pytest.mark.feature(18)
@pytest.mark.parametrize("others", [0, 1], ids=["the only route", "one of two routes, which share their policy"])
def test_requests_are_retried_twice_on_503_and_not_on_500(mesh: Mesh, upstream: Upstream, others: int) -> None:
    """App Mesh's default retry policy, counted at the application."""
    alike = meshes.route("product-r", "other", {"product": 1}, match={"prefix": "/other"})
    mesh.put(*meshes.shop({"product": 1}), *[alike][:others])
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    eventually(lambda: order.get(PRODUCT) == (200, "v1"), "it answers")
    answers = {"/twice": [503, 503, 200], "/always": [503] * 9, "/500": [500] * 9}
    upstream.behave = lambda path, count: (answers[path][count - 1], 0.0)

    assert order.get(f"{PRODUCT}twice") == (200, "v1")
    assert "3" == upstream.headers["x-envoy-attempt-count"], "the target's log can say that it was retried"
    assert order.get(f"{PRODUCT}always")[0] == 503
    assert order.get(f"{PRODUCT}500")[0] == 500
    assert upstream.requests["/twice"] == 3
    assert upstream.requests["/always"] == 3
    assert upstream.requests["/500"] == 1


def test_an_unknown_node_is_held_and_served_once_it_exists(mesh: Mesh, upstream: Upstream) -> None:
    """A proxy of a virtual node that does not exist stays connected and not ready, until the node is created."""
    late = mesh.sidecar("product", upstream, wait=False)
    status = eventually(lambda: mesh.statuses()["product-1"], "it is connected")
    assert not status.known
    assert status.types["clusters"].sent == ""
    with pytest.raises(OSError, match="refused"):
        late.is_ready()

    mesh.put(meshes.mesh(), meshes.node("product"))

    late.child.wait_for(late.is_ready, "it is ready")
    assert mesh.statuses()["product-1"].known
    assert get(late.ports[5000], "/") == (200, "v1")


def test_a_deleted_node_leaves_its_proxies_with_what_they_have(mesh: Mesh, upstream: Upstream) -> None:
    """Deleting a virtual node is shown, and its proxy goes on answering."""
    mesh.put(meshes.mesh(), meshes.node("product"))
    product = mesh.sidecar("product", upstream)

    mesh.delete(meshes.node("product").key)

    eventually(lambda: not mesh.statuses()["product-1"].known, "it is shown as unknown")
    assert get(product.ports[5000], "/") == (200, "v1")


def test_a_change_to_what_a_proxy_has_already_converges(mesh: Mesh, upstream: Upstream) -> None:
    """A node that is deleted and made again concerns its proxy, which has nothing to confirm; nobody waits for it."""
    mesh.put(meshes.mesh(), meshes.node("product"))
    mesh.sidecar("product", upstream)
    mesh.delete(meshes.node("product").key)

    mesh.converge(mesh.put(meshes.node("product")))

    assert mesh.statuses()["product-1"].in_sync


def test_a_taken_port_is_told_as_envoy_says_it(mesh: Mesh, upstream: Upstream) -> None:
    """Two proxies of one port do not share it silently: the second says what is wrong."""
    mesh.put(meshes.mesh(), meshes.node("product"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.listen()
        sidecar = mesh.sidecar("product", upstream, wait=False, taken=taken.getsockname()[1])
        refused = eventually(lambda: mesh.statuses()["product-1"].refused, "the refusal is shown")

    assert refused.type == "listeners"
    assert "Address already in use" in refused.message
    assert sidecar.instance == "product-1"


def test_garbage_on_the_grpc_port_harms_nothing(mesh: Mesh, upstream: Upstream) -> None:
    """Whatever is sent there, the port goes on serving the proxies."""
    mesh.put(*meshes.shop({"product": 1}))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100_000,
        preface + b"\xff" * 5000,
        b"\x16\x03\x01" * 99,
        preface,
    ):
        with socket.create_connection(("127.0.0.1", mesh.port)) as client:
            client.sendall(garbage)

    mesh.converge(mesh.put(meshes.route("product-r", "all", {"product": 1}, match={"prefix": "/only"})))
    assert order.get(PRODUCT)[0] == 404


@pytest.mark.feature(2)
def test_intercepted_listeners_are_taken(mesh: Mesh) -> None:
    """A real Envoy takes the listeners of the intercepted mode, with either egress filter, and closes strangers."""
    mesh.put(*meshes.shop(egress="ALLOW_ALL"))
    order = mesh.sidecar("order", mode="intercepted", address=None)

    mesh.converge(mesh.put(meshes.mesh(egress="DROP_ALL")))

    assert mesh.statuses()["order-1"].in_sync
    with pytest.raises(OSError, match=r"reset|closed|aborted"):
        get(order.egress, "/", host="product.local:5000")
