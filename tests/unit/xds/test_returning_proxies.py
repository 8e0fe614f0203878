"""Right after a start: a change waits for the proxies of before, which have not all connected again."""

from __future__ import annotations

import time

from shopmesh.server.grpc.proxies import RETURN_SECONDS
from shopmesh.xds.instances import withdraw
from shopmesh.xds.node import ProxyNode
from tests.unit.xds import meshes
from tests.unit.xds.control_planes import Plane, Stream, running, until

HERE = "10.0.0.1"


def node(instance: str) -> ProxyNode:
    return ProxyNode(mesh="shop", name="order", instance=instance, address=HERE)


async def restarted(plane: Plane, *instances: str) -> tuple[Plane, int]:
    """The same store under a new control plane, which has made a change; before, these proxies were declared."""
    await plane.put(*meshes.shop())
    before = [plane.proxy(instance=instance, address=HERE) for instance in instances]
    await until(lambda: all(plane.status(instance).declared for instance in instances))
    for one in before:
        one.session.close()
    # The store's commits have the machine's time.
    plane.now[0] = time.time()
    after = Plane(plane.store, plane.now)
    return after, await after.put(meshes.route("product-r", "all", {"product": 1}))


@running
async def test_a_change_has_not_converged_before_those_that_were_there_are_back(plane: Plane) -> None:
    """It names them; when the last has taken it, it has converged."""
    plane, revision = await restarted(plane, "a", "b")
    change = plane.proxies.changes[-1]
    assert change.proxies == {"a": None, "b": None}
    assert not await plane.proxies.wait_until_converged(revision, 0)

    plane.now[0] = change.at + 0.5
    plane.proxy(instance="a", address=HERE)
    assert not await plane.proxies.wait_until_converged(revision, 0)
    back = Stream(plane.ads, node("b"))
    assert not await plane.proxies.wait_until_converged(revision, 0)
    back.settle()

    assert await plane.proxies.wait_until_converged(revision, 0)
    assert change.proxies == {"a": 500.0, "b": 500.0}


@running
async def test_who_is_withdrawn_meanwhile_is_not_waited_for(plane: Plane) -> None:
    """Its operator has ended it."""
    plane, revision = await restarted(plane, "a")
    identity = node("a").identity
    await plane.store.submit(lambda transaction: withdraw(transaction, identity, 1000.0))

    assert await plane.proxies.wait_until_converged(revision, 0)
    assert plane.proxies.changes[-1].converged


@running
async def test_who_does_not_come_back_is_not_waited_for_without_end(plane: Plane) -> None:
    """After half a minute it counts as lost, as one whose stream has ended; later changes do not name it."""
    plane, revision = await restarted(plane, "a")
    plane.now[0] += RETURN_SECONDS
    assert not plane.proxies.changes[-1].converged
    plane.now[0] += 0.1

    assert plane.proxies.changes[-1].converged
    assert await plane.proxies.wait_until_converged(revision, 0)
    await plane.put(meshes.route("product-r", "all", {"product": 2}))
    assert plane.proxies.changes[-1].proxies == {}


@running
async def test_changes_that_are_forgotten_are_not_waited_for(plane: Plane) -> None:
    """What is remembered is bounded while proxies are awaited too."""
    plane, _ = await restarted(plane, "a")
    for weight in range(1001):
        await plane.put(meshes.route("product-r", "all", {"product": weight % 100 + 1}))
    assert len(plane.proxies.changes) == 1000
    plane.proxy(instance="a", address=HERE)

    assert await plane.proxies.wait_until_converged(plane.store.revision, 0)


@running
async def test_in_a_cluster_nobody_is_waited_for(plane: Plane) -> None:
    """There endpoints are what EndpointSlices say, and their proxies may be at another replica."""
    await plane.put(*meshes.shop(), meshes.instance("order", "a", HERE, {}))
    cluster = Plane(plane.store, plane.now, declares=False)
    revision = await cluster.put(meshes.route("product-r", "all", {"product": 1}))

    assert await cluster.proxies.wait_until_converged(revision, 0)
