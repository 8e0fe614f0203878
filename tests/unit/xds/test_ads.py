"""ADS over a store, without a socket: sessions are driven by hand, as a transport would."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from shopmesh.appmesh.store import Key
from shopmesh.server.grpc import admission, instance_registry
from shopmesh.server.grpc import proxies as registry
from shopmesh.server.grpc.sessions import StreamError
from shopmesh.xds import snapshot as snapshots
from shopmesh.xds.instances import withdraw
from shopmesh.xds.node import ProxyNode
from tests.unit.xds import meshes
from tests.unit.xds.control_planes import Plane, Stream, running, until
from tests.unit.xds.envoys import Envoy


async def _nothing() -> None:
    await asyncio.sleep(0)


@running
async def test_only_proxies_whose_snapshot_changed_are_woken(plane: Plane) -> None:
    """A change of a route concerns who calls that service, and nobody else."""
    await plane.put(*meshes.shop())
    order, product = plane.proxy("order"), plane.proxy("product")
    revision = await plane.put(meshes.route("product-r", "all", {"product": 1}))

    assert (order.woken, product.woken) == (1, 0)
    change = plane.proxies.changes[-1]
    assert (change.revision, set(change.proxies)) == (revision, {"order-1"})
    assert change.keys == (Key("route", ("shop", "product-r", "all")),)


@running
async def test_a_change_is_timed_to_its_last_acknowledgement(plane: Plane) -> None:
    """Milliseconds per proxy from the commit on, and converged once the last has it."""
    await plane.put(*meshes.shop())
    first, second = plane.proxy(instance="a"), plane.proxy(instance="b")
    revision = await plane.put(meshes.route("product-r", "all", {"product": 1}))
    change = plane.proxies.changes[-1]
    assert not await plane.proxies.wait_until_converged(revision, 0)

    plane.now[0] = change.at + 0.004
    first.settle()
    assert change.proxies == {"a": 4.0, "b": None}
    assert change.milliseconds is None
    plane.now[0] = change.at + 0.009
    second.settle()

    assert change.proxies == {"a": 4.0, "b": 9.0}
    assert change.converged
    assert max(change.proxies.values(), key=str) == change.milliseconds
    assert await plane.proxies.wait_until_converged(revision, 0)
    assert not await plane.proxies.wait_until_converged(revision + 1, 0)


@running
async def test_an_overtaken_change_counts_with_the_later_one(plane: Plane) -> None:
    """Who has the second has the first."""
    await plane.put(*meshes.shop())
    order = plane.proxy()
    await plane.put(meshes.route("product-r", "all", {"product": 1}))
    await plane.put(meshes.route("product-r", "all", {"product": 2, "product-v2": 1}))

    order.settle()

    assert [change.converged for change in plane.proxies.changes] == [True, True, True]


@running
async def test_a_proxy_that_goes_away_is_not_waited_for(plane: Plane) -> None:
    """Its milliseconds stay unknown, and the change converges."""
    await plane.put(*meshes.shop())
    order = plane.proxy()
    revision = await plane.put(meshes.route("product-r", "all", {"product": 1}))
    waiting = asyncio.create_task(plane.proxies.wait_until_converged(revision, 10))
    await asyncio.sleep(0)

    order.session.close()

    assert await waiting
    assert plane.proxies.changes[-1].proxies == {"order-1": None}


@running
async def test_a_refusal_is_shown_and_forgotten(plane: Plane) -> None:
    """The type, Envoy's text and the time; gone once the proxy is in step again."""
    await plane.put(*meshes.shop())
    order = plane.proxy()
    await plane.put(meshes.route("product-r", "all", {"product": 1}))
    plane.now[0] = 2000.0
    (data,) = order.session.take()
    order.envoy.receive(data)
    request = order.envoy.next_request()
    assert request is not None
    request.error_detail.message = "no such thing"
    order.session.receive(request.SerializeToString())

    status = plane.status("order-1")
    assert status.refused == registry.Nack("routes", "no such thing", 2000.0)
    assert (status.in_sync, plane.proxies.changes[-1].converged) == (False, False)

    await plane.put(meshes.route("product-r", "all", {"product": 2, "product-v2": 1}))
    order.settle()
    assert plane.status("order-1").refused is None
    assert plane.proxies.changes[-1].converged


@running
async def test_a_proxy_is_declared_once_it_listens_and_stays_so(plane: Plane) -> None:
    """Its address goes to the store after it has taken its listeners, once; a lost stream takes nothing back."""
    await plane.put(*meshes.shop())
    product = plane.proxy("product", address="10.0.0.1")
    await until(lambda: plane.store.state.get(product.node.identity.key))
    revision = plane.store.revision

    product.session.close()
    assert not plane.status("product-1").connected
    assert plane.status("product-1").address == "10.0.0.1"
    plane.proxy("product", address="10.0.0.1")
    await _nothing()

    assert plane.store.revision == revision
    assert plane.store.state.get(product.node.identity.key) is not None


@running
async def test_a_withdrawn_proxy_is_forgotten_and_its_node_stays_with_eds(plane: Plane) -> None:
    """Withdrawing the last instance leaves an empty cluster."""
    await plane.put(*meshes.shop())
    product = plane.proxy("product", address="10.0.0.1")
    await until(lambda: plane.store.state.get(product.node.identity.key))
    product.session.close()
    order = plane.proxy("order")

    assert await plane.store.submit(lambda transaction: withdraw(transaction, product.node.identity, 1.0))
    order.settle()

    assert [status.instance for status in plane.proxies.statuses()] == ["order-1"]
    assert "cds_egress_shop_product_http_5000" in order.envoy.versions["endpoints"]
    assert not await plane.store.submit(lambda transaction: withdraw(transaction, product.node.identity, 1.0))


@running
async def test_an_unknown_node_is_held_and_served_once_it_exists(plane: Plane) -> None:
    """Nothing is answered before, all of it after; and a deleted node takes nothing back."""
    late = plane.proxy("order")
    assert late.envoy.responses == []
    assert (plane.status("order-1").known, plane.status("order-1").in_sync) == (False, False)

    await plane.put(*meshes.shop())
    late.settle()
    assert plane.status("order-1").known
    assert plane.status("order-1").in_sync

    versions = dict(late.envoy.versions["clusters"])
    await plane.store.submit(lambda transaction: transaction.delete(meshes.node("order").key))
    late.settle()
    assert versions == late.envoy.versions["clusters"]
    assert not plane.status("order-1").known


@running
async def test_a_restarted_control_plane_sends_nothing_again(plane: Plane) -> None:
    """Endpoints come from the store and versions from the content: a proxy that comes back is in step at once."""
    await plane.put(*meshes.shop(), meshes.instance("product", "p", "10.0.0.1"))
    before = plane.proxy("order")
    again = Plane(plane.store, plane.now)
    before.envoy.responses.clear()

    after = Stream(again.ads, before.node, before.envoy)
    after.settle()

    assert after.envoy.responses == []
    assert again.status("order-1").in_sync
    assert [status.instance for status in again.proxies.statuses()] == ["order-1", "p"]


@running
async def test_streams_are_bounded(plane: Plane) -> None:
    """One more than allowed is refused, until one ends."""
    streams = [plane.ads.open(None, lambda: None) for _ in range(4)]
    with pytest.raises(StreamError, match="4 streams"):
        plane.ads.open(None, lambda: None)

    streams[0].close()

    plane.ads.open(None, lambda: None)


@running
async def test_a_closed_session_is_gone_without_a_search_for_garbage(plane: Plane) -> None:
    """Nor is what carried it left: thousands of proxies may come and go between two searches."""
    stream = plane.proxy()
    carried = weakref.ref(stream)
    gc.disable()
    try:
        stream.session.close()
        del stream

        assert carried() is None
    finally:
        gc.enable()


def test_streams_of_a_proxy_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one proxy does not take those of all others; what it gives back it may have again."""
    monkeypatch.setattr(admission, "MOST_STREAMS_OF_A_PROXY", 2)

    async def test(plane: Plane) -> None:
        first, _ = plane.proxy(), plane.proxy()
        with pytest.raises(StreamError, match="order-1 has 2 streams open already"):
            plane.proxy()
        plane.proxy("product")
        first.session.close()
        plane.proxy()

    running(test)()


def test_instances_of_a_node_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ever new names of instances do not fill the store; those that are there stay, and may still change."""
    monkeypatch.setattr(instance_registry, "MOST_OF_A_NODE", 2)

    async def test(plane: Plane) -> None:
        await plane.put(*meshes.shop())
        for number in range(4):
            plane.proxy("product", f"p{number}", "10.0.0.1").session.close()
            await until(lambda: not plane.ads.instances.busy)
        plane.proxy("product", "p0", "10.0.0.2").session.close()
        await until(lambda: not plane.ads.instances.busy)

        found = plane.store.state.children("instance", ("shop", "virtualNode", "product"))
        assert {"p0": "10.0.0.2", "p1": "10.0.0.1"} == {one.key.name: one.spec["address"] for one in found}

    running(test)()


def test_instances_of_nodes_that_do_not_exist_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A workload may say that it is ready before its documents are applied, and nobody may make up any number."""
    monkeypatch.setattr(instance_registry, "MOST_OF_NO_NODE", 2)

    async def test(plane: Plane) -> None:
        await plane.put(*meshes.shop())
        for name in ("a", "b", "c", "product"):
            proxy = ProxyNode(mesh="shop", name=name, instance=f"{name}-1", address="10.0.0.1")
            plane.ads.instances.on_readiness(proxy, ready=True)
            await until(lambda: not plane.ads.instances.busy)

        found = [one.key.name for one in plane.store.state if one.key.kind == "instance"]
        assert ["a-1", "b-1", "product-1"] == sorted(found)

    running(test)()
    assert "create the virtualNode c first" in caplog.text


@running
async def test_garbage_ends_the_stream_with_a_reason(plane: Plane) -> None:
    """Bytes that are no request, and a node that is none, are refused by name; others go on."""
    await plane.put(*meshes.shop())
    order = plane.proxy("order")
    with pytest.raises(StreamError, match="is not a DeltaDiscoveryRequest"):
        plane.ads.open(None, lambda: None).receive(b"\xff\xff\xff")
    with pytest.raises(StreamError, match=r"node\.id"):
        plane.ads.open(None, lambda: None).receive(DeltaDiscoveryRequest(node=Node(id="me")).SerializeToString())

    await plane.put(meshes.route("product-r", "all", {"product": 1}))
    order.settle()
    assert plane.status("order-1").in_sync


def test_a_mesh_that_cannot_be_translated_keeps_nobody_else_from_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its proxies keep what they have, it is shown, and the next good change ends it."""

    async def test(plane: Plane) -> None:
        await plane.put(*meshes.shop())
        order, product = plane.proxy("order"), plane.proxy("product")
        good = snapshots.build_snapshot

        def broken(*arguments: Any) -> Any:
            found = good(*arguments)
            if "rds_egress_http_15001" in found["routes"].resources and len(found["clusters"].resources) > 3:
                raise ValueError("broken")
            return found

        monkeypatch.setattr(snapshots, "build_snapshot", broken)
        await plane.put(meshes.route("product-r", "all", {"product": 1, "product-v2": 5}))
        idle = {"http": {"idle": {"unit": "s", "value": 1}}}
        await plane.put(meshes.node("product", [meshes.listener(timeout=idle)]))

        assert [one.where for one in plane.proxies.findings()] == ["virtualNode shop/order"]
        assert (order.session.take(), len(product.session.take())) == ([], 1)

        monkeypatch.setattr(snapshots, "build_snapshot", good)
        await plane.put(meshes.route("product-r", "all", {"product": 1}))
        order.settle()
        assert plane.proxies.findings() == []
        assert plane.status("order-1").in_sync

    running(test)()


def test_the_record_of_changes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In changes, and in measurements of many proxies."""

    async def test(plane: Plane) -> None:
        await plane.put(*meshes.shop())
        plane.proxy(instance="a")
        plane.proxy(instance="b")
        for weight in range(1, 20):
            await plane.put(meshes.route("product-r", "all", {"product": weight, "product-v2": 1}))
        assert len(plane.proxies.changes) == 5
        monkeypatch.setattr(registry, "MOST_MEASUREMENTS", 4)
        await plane.put(meshes.route("product-r", "all", {"product": 50, "product-v2": 1}))
        assert len(plane.proxies.changes) == 2

    monkeypatch.setattr(registry, "MOST_CHANGES", 5)
    running(test)()


def test_a_proxy_that_lacked_files_is_asked_to_load_them_again() -> None:
    """Once a while, with nothing changed in the mesh; until then its status names them."""

    async def test(plane: Plane) -> None:
        plane.ads.retry_seconds = 0.0
        files = {"file": {"certificateChain": "/tls/tls.crt", "privateKey": "/tls/tls.key"}}
        tls = {"mode": "STRICT", "certificate": files}
        await plane.put(*meshes.shop(), meshes.node("product", [meshes.listener(tls=tls)]))
        envoy = Envoy()
        envoy.no_files = {"certificate:/tls/tls.crt:/tls/tls.key"}
        stream = Stream(plane.ads, ProxyNode(mesh="shop", name="product", instance="product-1"), envoy)
        stream.settle()
        refused = plane.status("product-1").refused
        assert refused is not None
        assert refused.message.startswith("certificate:/tls/tls.crt:/tls/tls.key: ")

        envoy.no_files = set()
        async with asyncio.timeout(5):
            while not plane.status("product-1").in_sync:
                await asyncio.sleep(0)
                stream.settle()
        assert plane.status("product-1").refused is None

    running(test)()
