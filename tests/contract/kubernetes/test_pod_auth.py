"""Proxies come in by their pods' tokens: real streams, and an API server that reviews, forgets, and is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api import client
from shopmesh.kubernetes.api.client import ApiServer, KubernetesApiError
from shopmesh.kubernetes.api.resource_types import PODS, TOKEN_REVIEWS
from shopmesh.kubernetes.controller.object_cache import PodRecord
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.identity import pod_auth
from shopmesh.kubernetes.identity.pod_auth import InvalidTokenError, PodAuthentication, TokenReviewer
from shopmesh.kubernetes.identity.pods import Pod, PodLookup
from shopmesh.kubernetes.identity.stamps import ANNOTATION, Stamp
from shopmesh.server.config import Config
from shopmesh.server.control_plane import ServerParts, listen, serving_parts
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.contract.kubernetes.reflecting import speaking
from tests.support.envoy_streams import discovery, end_of_stream
from tests.support.kubernetes import Cluster

LISTENERS = "type.googleapis.com/envoy.config.listener.v3.Listener"
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


def pod(name: str = "product-1", namespace: str = "default", of: str = "", **labels: str) -> dict[str, Any]:
    """One of that object, with these labels."""
    annotations = {ANNOTATION: of} if of else {}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}


class Known:
    """What is known of the mesh: product-vn and order-vn are of VirtualNodes in default, none of pods was watched yet.

    VirtualNode evil/copy calls itself order-vn as well, and selects every pod of its namespace.
    """

    def __init__(self) -> None:
        self.objects: dict[ObjectName, Any] = {ObjectName("Mesh", "", "shopmesh"): {"spec": {"namespaceSelector": {}}}}
        self.owners: dict[Key, ObjectName] = {}
        self.state = State()
        for name in ("product", "order"):
            selector = {"podSelector": {"matchLabels": {"app": name}}, "awsName": f"{name}-vn"}
            node = ObjectName("VirtualNode", "default", name)
            self.objects[node] = {"spec": selector}
            self.owners[Key("virtualNode", ("shopmesh", f"{name}-vn"))] = node
        gateway = ObjectName("VirtualGateway", "default", "way-in")
        self.objects[gateway] = {"spec": {"podSelector": {"matchLabels": {"app": "way-in"}}, "awsName": "way-in-vg"}}
        self.owners[Key("virtualGateway", ("shopmesh", "way-in-vg"))] = gateway
        everything = {"podSelector": {}, "awsName": "order-vn", "meshRef": {"name": "shopmesh"}}
        self.objects[ObjectName("VirtualNode", "evil", "copy")] = {"spec": everything}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.pods: dict[tuple[str, str], PodRecord] = {}
        self.selectors_revision = 1

    def watch(self, found: Any, stamp: Stamp | None = None) -> None:
        """The watch has told of that pod."""
        metadata = found["metadata"]
        record = PodRecord(metadata["uid"], metadata["labels"], stamp)
        self.pods[metadata["namespace"], metadata["name"]] = record

    def tag(self, node: str, **tags: str) -> None:
        """Its annotations `shopmesh.dev/…`; `_` stands for `-`."""
        key = Key("virtualNode", ("shopmesh", node))
        named = tuple((f"shopmesh.dev/{name.replace('_', '-')}", text) for name, text in tags.items())
        self.state.apply([Change(key, None, Resource(key, {}, "uid", 1, 0.0, 0.0, named))])


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
        reviews = TokenReviewer(server, clock=clock)
        found = {*await asyncio.gather(*(reviews.review(token) for _ in range(20))), await reviews.review(token)}
        asked = len(cluster.asked_for("post", TOKEN_REVIEWS))
        clock.now += pod_auth.CACHE_SECONDS
        await reviews.review(token)

    uid = cluster.get(PODS, "product-1")["metadata"]["uid"]
    assert {Pod("default", "product-1", uid, "shop")} == found
    assert (1, 2) == (asked, len(cluster.asked_for("post", TOKEN_REVIEWS)))


async def test_a_caller_that_goes_away_leaves_the_others_their_answer(cluster: Cluster) -> None:
    """The review is nobody's alone."""
    cluster.put(pod())
    token = cluster.token_of("product-1", audience="shopmesh")
    cluster.delay(0.05)
    async with speaking(cluster.configuration()) as server:
        reviews = TokenReviewer(server)
        first, second = (asyncio.create_task(reviews.review(token)) for _ in range(2))
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
        reviews = TokenReviewer(server, clock=clock)
        for token in others:
            for _ in range(3):
                with pytest.raises(InvalidTokenError, match="audience shopmesh") as refused:
                    await reviews.review(token)
                assert token not in str(refused.value)
        asked = len(cluster.asked_for("post", TOKEN_REVIEWS))

        clock.now += pod_auth.INVALID_SECONDS
        with pytest.raises(InvalidTokenError):
            await reviews.review("nobody's")
    assert (3, 4) == (asked, len(cluster.asked_for("post", TOKEN_REVIEWS)))


async def test_what_the_api_server_could_not_say_is_not_remembered(cluster: Cluster) -> None:
    """As soon as it answers again the pod comes in."""
    cluster.put(pod())
    token = cluster.token_of("product-1", audience="shopmesh")
    async with speaking(cluster.configuration()) as server:
        reviews = TokenReviewer(server)
        for status in (403, 500):
            cluster.refuse(status, TOKEN_REVIEWS)
            with pytest.raises(KubernetesApiError):
                await reviews.review(token)
        cluster.refuse(None)

        assert "product-1" == (await reviews.review(token)).name


async def test_what_is_remembered_is_bounded(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever brings a new token each time fills no memory: the oldest is forgotten."""
    monkeypatch.setattr(pod_auth, "MAX_CACHED", 3)
    async with speaking(cluster.configuration()) as server:
        reviews = TokenReviewer(server)
        for token in ("a", "b", "c", "d", "d", "a"):
            with pytest.raises(InvalidTokenError):
                await reviews.review(token)

    assert 5 == len(cluster.asked_for("post", TOKEN_REVIEWS))


@contextlib.asynccontextmanager
async def xds(server: ApiServer, known: Known) -> AsyncIterator[int]:
    """Port of an xDS that lets in pods alone."""
    async with xds_over(server, known) as (port, _):
        yield port


@contextlib.asynccontextmanager
async def xds_over(server: ApiServer, known: Known) -> AsyncIterator[tuple[int, SqliteStore]]:
    """The same, with its store, in which there is nothing."""
    store = await SqliteStore.open(None)
    config = Config(api_port=0, xds_port=0, insecure=True)
    foundation = ServerParts(
        store, PodAuthentication(TokenReviewer(server), PodLookup(server, known), known, CachedSelectors(known))
    )
    with contextlib.closing(listen(config.host, config.api_port)) as listener:
        async with asyncio.timeout(30), serving_parts(config, foundation, listener) as bound:
            yield bound.xds_port, store
    await store.close()


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


async def asked(cluster: Cluster, known: Known, node: str, pod: str, namespace: str = "default", **more: str) -> Any:
    """How a stream ends on which that pod, by its own token, says that it is that node."""
    token = bearer(cluster.token_of(pod, namespace, audience="shopmesh", **more))
    async with speaking(cluster.configuration()) as server, xds(server, known) as port:
        return await end_of_stream(port, ADS, discovery(node, pod), token)


OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED, UNAVAILABLE = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE
NODE, GATEWAY = "shopmesh.dev/virtual-node", "shopmesh.dev/virtual-gateway"


@pytest.mark.parametrize(
    ("made", "node", "why"),
    [
        (pod(of="virtualnode/product"), "product-vn", None),
        (pod(**{NODE: "product-vn"}), "product-vn", None),
        (pod(of="virtualnode/product", **{NODE: "order-vn"}), "product-vn", None),
        (
            pod(of="virtualnode/product", app="order"),
            "order-vn",
            "created with annotation shopmesh.dev/proxy-of: virtual",
        ),
        (pod(**{NODE: "product-vn", "app": "order"}), "order-vn", f"created with label {NODE}: product-vn"),
        (pod(of="virtualgateway/product"), "product-vn", "created with annotation"),
        (pod(of="product", app="product"), "product-vn", "created with annotation"),
        (pod(**{GATEWAY: "product-vn"}), "product-vn", f"created with label {GATEWAY}"),
        (pod(of="virtualnode/product"), "nobody-vn", "no VirtualNode in use declares it"),
        (pod(app="product"), "product-vn", None),
        (pod(app="product"), "order-vn", "the podSelector of VirtualNode default/product selects the pod"),
        (pod(app="other"), "product-vn", "give one a podSelector"),
    ],
)
async def test_a_pod_is_the_proxy_of_what_it_was_created_for(
    made: Any, node: str, why: str | None, cluster: Cluster
) -> None:
    """The annotation counts, then the labels that name a node, then the podSelector; the reason says what to do.

    None of these pods was watched yet: each is read from the API server, its metadata alone.
    """
    cluster.put(made)
    code, said = await asked(cluster, Known(), node, "product-1")
    (read,) = cluster.asked_for("get", PODS)

    assert (OK if why is None else DENIED) == code
    assert (why or "") in said
    assert why is None or f"pod default/product-1 may not ask for mesh/shopmesh/virtualNode/{node}: " in said
    assert "as=PartialObjectMetadata;" in read.headers["Accept"]


@pytest.mark.parametrize(
    ("made", "admitted"),
    [
        (pod(of="virtualgateway/way-in"), True),
        (pod(**{GATEWAY: "way-in-vg"}), True),
        (pod(app="way-in"), True),
        (pod(of="virtualnode/way-in"), False),
        (pod(**{NODE: "way-in-vg"}), False),
        (pod(app="product"), False),
    ],
)
async def test_a_gateway_admits_its_pods_as_a_node_does(made: Any, admitted: bool, cluster: Cluster) -> None:
    """By the annotation, its own label, or its podSelector; what names a virtual node of that name is another thing."""
    cluster.put(made)
    request = DeltaDiscoveryRequest.FromString(discovery("way-in-vg", "product-1"))
    request.node.id = "mesh/shopmesh/virtualGateway/way-in-vg"
    token = bearer(cluster.token_of("product-1", audience="shopmesh"))
    async with speaking(cluster.configuration()) as server, xds(server, Known()) as port:
        code, _ = await end_of_stream(port, ADS, request.SerializeToString(), token)

    assert (OK if admitted else DENIED) == code


class Proxy:
    """An ADS stream that asks for clusters and listeners and acknowledges what comes."""

    def __init__(self, channel: grpc.aio.Channel, token: tuple[str, str]) -> None:
        self.stream = channel.stream_stream(ADS)(metadata=(token,))  # type: ignore[call-arg]  # written to below

    async def begin(self, node: str, instance: str) -> None:
        await self.stream.write(discovery(node, instance))
        await self.ask(LISTENERS)

    async def ask(self, type_url: str, nonce: str = "") -> None:
        await self.stream.write(DeltaDiscoveryRequest(type_url=type_url, response_nonce=nonce).SerializeToString())

    async def read_until(self, text: str) -> None:
        """Until something that was sent has that text."""
        data: Any = b""
        while text.encode() not in data:
            data = await self.stream.read()
            answer = DeltaDiscoveryResponse.FromString(data)
            await self.ask(answer.type_url, answer.nonce)


async def test_an_open_stream_gets_nothing_of_an_object_that_takes_its_node_s_name(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on while no object has the name; what another one says under it never comes, and the stream ends."""
    cluster.put(pod(of="virtualnode/product"))
    token = bearer(cluster.token_of("product-1", audience="shopmesh"))
    known, key = Known(), Key("virtualNode", ("shopmesh", "product-vn"))
    async with speaking(cluster.configuration()) as server, xds_over(server, known) as (port, store):

        async def write(listener: int) -> None:
            spec = {"listeners": [{"portMapping": {"port": listener, "protocol": "http"}}]}
            await store.submit(lambda transaction: transaction.put(Resource(key, spec, "uid", listener, 0.0, 0.0)))

        mesh = Resource(Key("mesh", ("shopmesh",)), {}, "uid", 1, 0.0, 0.0)
        await store.submit(lambda transaction: transaction.put(mesh))
        await write(5000)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            proxy = Proxy(channel, token)
            await proxy.begin("product-vn", "product-1")
            await proxy.read_until("http_5000")
            del known.owners[key]
            await write(5001)
            await proxy.read_until("http_5001")
            known.owners[key] = ObjectName("VirtualNode", "evil", "copy")
            await write(5002)
            said: list[Any] = []
            # The stream may end by what was acknowledged before, while this is written.
            with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
                await proxy.ask(LISTENERS)
                while isinstance(data := await proxy.stream.read(), bytes):
                    said.append(data)

    assert b"http_5002" not in b"".join(said)
    assert "the VirtualNode that declares it is in namespace evil" in caplog.text


@pytest.mark.parametrize(
    "made",
    [
        pod("x", "evil"),
        pod("x", "evil", "virtualnode/copy"),
        pod("x", "evil", "virtualnode/order"),
        pod("x", "evil", **{NODE: "order-vn"}),
    ],
)
async def test_a_pod_is_no_proxy_of_another_namespace_s_node(made: Any, cluster: Cluster) -> None:
    """Also when a VirtualNode of its own namespace has that name and selects it: the name is another object's."""
    cluster.put(made)
    code, said = await asked(cluster, Known(), "order-vn", "x", "evil")

    assert DENIED == code
    assert (
        "pod evil/x may not ask for mesh/shopmesh/virtualNode/order-vn: the VirtualNode that declares it is in" in said
    )


async def test_a_node_may_name_the_service_account_of_its_pods(cluster: Cluster) -> None:
    """A pod of another one is refused, with both names; a node that names none takes all."""
    cluster.put(pod(of="virtualnode/product"))
    known = Known()
    known.tag("product-vn", service_account="product")
    right, _ = await asked(cluster, known, "product-vn", "product-1", account="product")
    wrong, said = await asked(cluster, known, "product-vn", "product-1", account="order")

    assert (OK, DENIED) == (right, wrong)
    assert "service account order, and VirtualNode default/product takes pods of service account product only" in said


async def test_the_first_stamp_that_was_watched_counts(cluster: Cluster) -> None:
    """What the API server says later is not asked for: the pod stays what it was created for."""
    known = Known()
    known.watch(cluster.put(pod(of="virtualnode/order")), Stamp(ANNOTATION, "virtualnode/product"))
    codes = [(await asked(cluster, known, node, "product-1"))[0] for node in ("product-vn", "order-vn")]

    assert [OK, DENIED] == codes
    assert [] == cluster.asked_for("get", PODS)


async def test_a_pod_that_took_another_s_name_is_another_pod(cluster: Cluster) -> None:
    """By its UID: while the watch has the one before, the new one is read; a token of the one before is refused."""
    known = Known()
    before = cluster.put(pod(of="virtualnode/order"))
    known.watch(before, Stamp(ANNOTATION, "virtualnode/order"))
    old = cluster.token_of("product-1", audience="shopmesh")
    async with speaking(cluster.configuration()) as server:
        reviews, pods = TokenReviewer(server), PodLookup(server, known)
        gone = await reviews.review(old)
        cluster.remove(PODS, "product-1")
        assert Stamp(ANNOTATION, "virtualnode/order") == getattr(await pods.find(gone), "stamp", None)
        known.watch(cluster.put(pod(of="virtualnode/product")), Stamp(ANNOTATION, "virtualnode/product"))
        assert await pods.find(gone) is None
    known.watch(before, Stamp(ANNOTATION, "virtualnode/order"))

    assert OK == (await asked(cluster, known, "product-vn", "product-1"))[0]


async def test_a_stream_without_a_pod_s_token_or_as_another_instance_is_refused(cluster: Cluster) -> None:
    """No token, nobody's, another scheme; and a pod that says that it is another pod of its node."""
    cluster.put(pod(of="virtualnode/product"))
    mine = bearer(cluster.token_of("product-1", audience="shopmesh"))
    async with speaking(cluster.configuration()) as server, xds(server, Known()) as port:
        said = [
            await end_of_stream(port, ADS, discovery("product-vn", "product-1"), bearer("nobody's")),
            await end_of_stream(port, ADS, discovery("product-vn", "product-1"), ("authorization", "Basic x")),
            await end_of_stream(port, ADS, discovery("product-vn", "product-1")),
            await end_of_stream(port, ADS, discovery("product-vn", "product-2"), mine),
        ]

    assert [UNAUTHENTICATED] * 3 + [DENIED] == [code for code, _ in said]
    assert "pod default/product-1 may not be instance product-2" in said[3][1]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_pod_that_the_api_server_does_not_tell_of_comes_again(status: int, cluster: Cluster) -> None:
    """UNAVAILABLE, and nothing of it is remembered: Envoy is let in as soon as the API server answers."""
    cluster.put(pod(of="virtualnode/product"))
    token = bearer(cluster.token_of("product-1", audience="shopmesh"))
    async with speaking(cluster.configuration()) as server, xds(server, Known()) as port:
        cluster.refuse(status, PODS)
        refused, why = await end_of_stream(port, ADS, discovery("product-vn", "product-1"), token)
        cluster.refuse(None)
        admitted, _ = await end_of_stream(port, ADS, discovery("product-vn", "product-1"), token)

    assert (UNAVAILABLE, OK) == (refused, admitted)
    assert "the API server cannot be asked for pod default/product-1" in why


async def test_an_api_server_that_is_slow_turns_nobody_away_for_good(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for so long and no longer; then Envoy is told to come again, and is let in once answers come."""
    monkeypatch.setattr(client, "REQUEST_SECONDS", 0.2)
    cluster.put(pod(of="virtualnode/product"))
    token = bearer(cluster.token_of("product-1", audience="shopmesh"))
    async with speaking(cluster.configuration()) as server, xds(server, Known()) as port:
        cluster.delay(60)
        slow, _ = await end_of_stream(port, ADS, discovery("product-vn", "product-1"), token)
        cluster.delay(0)
        admitted, _ = await end_of_stream(port, ADS, discovery("product-vn", "product-1"), token)

    assert (UNAVAILABLE, OK) == (slow, admitted)


async def test_an_api_server_that_is_gone_turns_nobody_away_for_good(cluster: Cluster) -> None:
    """UNAVAILABLE: Envoy comes again, and is let in when it is back; a stream that is open is not touched."""
    cluster.put(pod(of="virtualnode/product"))
    token = bearer(cluster.token_of("product-1", audience="shopmesh"))
    async with speaking(cluster.configuration()) as server, xds(server, Known()) as port:
        cluster.stop()
        gone, why = await end_of_stream(port, ADS, discovery("product-vn", "product-1"), token)
        cluster.start()
        back, _ = await end_of_stream(port, ADS, discovery("product-vn", "product-1"), token)

    assert (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK) == (gone, back)
    assert "the API server cannot review this token" in why
