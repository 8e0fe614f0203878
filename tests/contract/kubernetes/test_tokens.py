"""Proxies come in by their pods' tokens: real streams, and an API server that reviews, forgets, and is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import pytest

from shopmesh.appmesh.manifests.names import ObjectName
from shopmesh.kubernetes import tokens
from shopmesh.kubernetes.api import ApiError, ApiServer
from shopmesh.kubernetes.resources import PODS, TOKEN_REVIEWS
from shopmesh.kubernetes.selection import Current
from shopmesh.kubernetes.tokens import Pod, PodsOnly, RefusedTokenError, Reviews
from shopmesh.server.config import Config
from shopmesh.server.control_plane import Foundation, listen, served
from shopmesh.server.database import Database
from tests.contract.control_plane.test_admission import discovery, ended
from tests.contract.kubernetes.reflecting import speaking
from tests.support.kubernetes import Cluster

ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
LABELS = {"app": "product"}


def pod(name: str = "product-1", **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": {"containers": []}}


class Known:
    """What is known of the cluster: product-vn selects the pods of product."""

    def __init__(self) -> None:
        selector = {"podSelector": {"matchLabels": LABELS}, "awsName": "product-vn"}
        self.objects: dict[ObjectName, Any] = {
            ObjectName("Mesh", "", "shopmesh"): {"spec": {"namespaceSelector": {}}},
            ObjectName("VirtualNode", "default", "product"): {"spec": selector},
        }
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.pods: dict[tuple[str, str], Mapping[str, str]] = {("default", "product-1"): LABELS}
        self.revision = 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_many_streams_are_one_review(cluster: Cluster) -> None:
    """Those that come at once wait for one answer, those that come soon have it; after a while it is asked anew."""
    cluster.put(pod())
    token = cluster.token_of("product-1", audience="shopmesh", account="shop")
    clock = Clock()
    async with speaking(cluster.configuration()) as server:
        reviews = Reviews(server, clock=clock)
        found = {*await asyncio.gather(*(reviews.pod(token) for _ in range(20))), await reviews.pod(token)}
        asked = len(cluster.asked_for("post", TOKEN_REVIEWS))
        clock.now += tokens.REMEMBERED_SECONDS
        await reviews.pod(token)

    uid = cluster.get(PODS, "product-1")["metadata"]["uid"]
    assert {Pod("default", "product-1", uid, "shop")} == found
    assert (1, 2) == (asked, len(cluster.asked_for("post", TOKEN_REVIEWS)))


async def test_a_caller_that_goes_away_leaves_the_others_their_answer(cluster: Cluster) -> None:
    """The review is nobody's alone."""
    cluster.put(pod())
    token = cluster.token_of("product-1", audience="shopmesh")
    cluster.delay(0.05)
    async with speaking(cluster.configuration()) as server:
        reviews = Reviews(server)
        first, second = (asyncio.create_task(reviews.pod(token)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()

        assert "product-1" == (await second).name


async def test_a_token_of_a_pod_that_is_gone_or_of_others_is_refused(cluster: Cluster) -> None:
    """Refusals are remembered shortly, so that a pod that tries on is no load; and none holds the token."""
    cluster.put(pod())
    cluster.put(pod("gone"))
    others = cluster.token_of("product-1"), cluster.token_of("gone", audience="shopmesh"), "nobody's"
    cluster.remove(PODS, "gone")
    clock = Clock()
    async with speaking(cluster.configuration()) as server:
        reviews = Reviews(server, clock=clock)
        for token in others:
            for _ in range(3):
                with pytest.raises(RefusedTokenError, match="audience shopmesh") as refused:
                    await reviews.pod(token)
                assert token not in str(refused.value)
        asked = len(cluster.asked_for("post", TOKEN_REVIEWS))

        clock.now += tokens.REFUSED_SECONDS
        with pytest.raises(RefusedTokenError):
            await reviews.pod("nobody's")
    assert (3, 4) == (asked, len(cluster.asked_for("post", TOKEN_REVIEWS)))


async def test_what_the_api_server_could_not_say_is_not_remembered(cluster: Cluster) -> None:
    """As soon as it answers again the pod comes in."""
    cluster.put(pod())
    token = cluster.token_of("product-1", audience="shopmesh")
    async with speaking(cluster.configuration()) as server:
        reviews = Reviews(server)
        for status in (403, 500):
            cluster.refuse(status, TOKEN_REVIEWS)
            with pytest.raises(ApiError):
                await reviews.pod(token)
        cluster.refuse(None)

        assert "product-1" == (await reviews.pod(token)).name


async def test_what_is_remembered_is_bounded(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever brings a new token each time fills no memory: the oldest is forgotten."""
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 3)
    async with speaking(cluster.configuration()) as server:
        reviews = Reviews(server)
        for token in ("a", "b", "c", "d", "d", "a"):
            with pytest.raises(RefusedTokenError):
                await reviews.pod(token)

    assert 5 == len(cluster.asked_for("post", TOKEN_REVIEWS))


@contextlib.asynccontextmanager
async def xds(server: ApiServer, known: Known) -> AsyncIterator[int]:
    """Port of an xDS that lets in pods alone."""
    store = await Database.open(None)
    config = Config(api_port=0, xds_port=0)
    foundation = Foundation(store, [PodsOnly(Reviews(server), known, Current(known))])
    with contextlib.closing(listen(config.host, config.api_port)) as listener:
        async with asyncio.timeout(30), served(config, foundation, listener) as bound:
            yield bound.xds_port
    await store.close()


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


async def test_a_pod_is_let_in_as_its_own_node_alone(cluster: Cluster) -> None:
    """Another node, a pod that nothing selects, one not seen yet, no token: each is told what to do, by its code."""
    for name in ("product-1", "other-1", "new-1"):
        cluster.put(pod(name))
    known = Known()
    known.pods["default", "other-1"] = {"app": "other"}
    mine, other, new = (bearer(cluster.token_of(one, audience="shopmesh")) for one in ("product-1", "other-1", "new-1"))
    async with speaking(cluster.configuration()) as server, xds(server, known) as port:
        said = [
            await ended(port, ADS, discovery("product-vn", "product-1"), mine),
            await ended(port, ADS, discovery("order-vn"), mine),
            await ended(port, ADS, discovery("product-vn", "product-1"), other),
            await ended(port, ADS, discovery("product-vn", "product-1"), new),
            await ended(port, ADS, discovery("product-vn", "product-1"), bearer("nobody's")),
            await ended(port, ADS, discovery("product-vn", "product-1"), ("authorization", "Basic x")),
            await ended(port, ADS, discovery("product-vn", "product-1")),
            await ended(port, ADS, discovery("product-vn", "product-2"), mine),
        ]

    codes = grpc.StatusCode
    assert [codes.OK, codes.PERMISSION_DENIED, codes.PERMISSION_DENIED, codes.UNAVAILABLE] == [c for c, _ in said[:4]]
    assert {codes.UNAUTHENTICATED} == {code for code, _ in said[4:7]}
    assert codes.PERMISSION_DENIED == said[7][0]
    assert "pod default/product-1 may not be instance product-2" in said[7][1]
    assert (
        "pod default/product-1 may not ask for mesh/shopmesh/virtualNode/order-vn: the podSelector of VirtualNode "
        "default/product makes it a proxy of mesh/shopmesh/virtualNode/product-vn; start its Envoy as that, or correct "
        "the podSelector"
    ) == said[1][1]
    assert "pod default/other-1 may not ask" in said[2][1]
    assert "give one a podSelector" in said[2][1]
    assert "pod default/new-1 is not known here yet" in said[3][1]


async def test_an_api_server_that_is_gone_turns_nobody_away_for_good(cluster: Cluster) -> None:
    """UNAVAILABLE: Envoy comes again, and is let in when it is back; a stream that is open is not touched."""
    cluster.put(pod())
    token = bearer(cluster.token_of("product-1", audience="shopmesh"))
    async with speaking(cluster.configuration()) as server, xds(server, Known()) as port:
        cluster.stop()
        gone, why = await ended(port, ADS, discovery("product-vn", "product-1"), token)
        cluster.start()
        back, _ = await ended(port, ADS, discovery("product-vn", "product-1"), token)

    assert (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK) == (gone, back)
    assert "the API server cannot tell whose this token is" in why
