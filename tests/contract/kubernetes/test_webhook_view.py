"""No pod that a node selects comes up without its sidecar because the webhook had not heard of the node yet."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shopmesh.appmesh.context import Context
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import MESHES, NAMESPACES, PODS, SERVICES, VIRTUAL_GATEWAYS, VIRTUAL_NODES
from shopmesh.kubernetes.api.shared_read import SharedRead
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.injection import fresh_view
from shopmesh.kubernetes.store import KubernetesStore
from tests.contract.kubernetes.reflecting import speaking, until
from tests.contract.kubernetes.serving_webhook import Ask, served_by
from tests.support.kubernetes import Cluster
from tests.support.kubernetes.answers import on_purpose
from tests.support.system_objects import NAMESPACE, configuration, review

_API_SERVER = ThreadPoolExecutor(12, "api server")
"""Not the loop's own threads, which the control plane's client needs for its answer."""
DECIDING = (MESHES, VIRTUAL_NODES, VIRTUAL_GATEWAYS, NAMESPACES)


def mesh_object(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({} if kind == "Mesh" else {"namespace": "default"})
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": metadata, "spec": spec}


def node(name: str) -> dict[str, Any]:
    """A VirtualNode that selects the pods with that label `app`."""
    listener = {"portMapping": {"port": 5000, "protocol": "http"}}
    return mesh_object(
        "VirtualNode", name, podSelector={"matchLabels": {"app": name}}, listeners=[listener], serviceDiscovery={}
    )


class Watched:
    """A webhook over a store that watches the API server."""

    def __init__(self, ask: Ask, store: KubernetesStore, selectors: CachedSelectors, api: ApiServer) -> None:
        self._ask = ask
        self.store = store
        self.selectors = selectors
        self.api = api

    async def answer(self, app: str, **more: str) -> Any:
        """The response to the creation of a pod with that label."""
        asked = review({"app": app, **more})
        status, answer = await asyncio.get_running_loop().run_in_executor(_API_SERVER, self._ask, asked)
        assert 200 == status
        return answer["response"]


@contextlib.asynccontextmanager
async def watched(cluster: Cluster) -> AsyncIterator[Watched]:
    cluster.put(NAMESPACE)
    cluster.put(configuration())
    cluster.put(mesh_object("Mesh", "shop", namespaceSelector={}))
    cluster.put(node("product"))
    async with speaking(cluster.configuration()) as api:
        store = KubernetesStore(api, lambda: Context("123456789012", "us-east-1", time.time(), lambda: "uid"))
        selectors = CachedSelectors(store.cache)
        async with store.watching(), served_by(cluster, api, store, selectors) as (ask, _):
            await until(lambda: cluster.watches == len(store.reflectors), "all watches")
            yield Watched(ask, store, selectors, api)


async def test_a_node_that_the_watch_has_not_reported_gives_its_pods_a_sidecar(cluster: Cluster) -> None:
    """The API server creates pods as soon as it has the node; the webhook asks it before it lets one go without."""
    async with watched(cluster) as webhook:
        cluster.hold_events(VIRTUAL_NODES, VIRTUAL_GATEWAYS)
        cluster.put(node("order"))

        assert "patch" in await webhook.answer("order")


async def test_events_of_several_types_may_come_in_any_order(cluster: Cluster) -> None:
    """A node whose event comes after newer events of other types selects pods from then on."""
    async with watched(cluster) as webhook:
        cluster.hold_events(VIRTUAL_NODES)
        cluster.put(node("order"))
        cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "newer"}, "spec": {}})
        await until(lambda: webhook.store.cache.revision == cluster.revision, "the newer event")
        before = webhook.selectors.get()
        cluster.hold_events()
        await until(lambda: any(one.name == "order" for one in webhook.store.objects), "the node's event")

        assert before.select("default", {"app": "order"}).key is None
        assert webhook.selectors.get().select("default", {"app": "order"}).key is not None


@pytest.mark.parametrize("labels", [{}, {"shopmesh.dev/virtual-node": "x"}])
async def test_while_the_api_server_does_not_answer_no_pod_goes_without(labels: Any, cluster: Cluster) -> None:
    """Nothing known selects it, and that may be out of date: it is refused for now, and its controller tries again."""
    async with watched(cluster) as webhook:
        cluster.before(_refuse_lists)
        response = await webhook.answer("order", **labels)

        assert not response["allowed"]
        assert (503, "ServiceUnavailable") == (response["status"]["code"], response["status"]["reason"])
        assert (
            "pod default/product-7d9f-… gets no sidecar yet: the control plane cannot ask the API server"
            in (response["status"]["message"])
        )


@pytest.mark.parametrize("kind", DECIDING)
async def test_while_a_watch_that_decides_is_out_of_contact_pods_are_refused(kind: Any, cluster: Cluster) -> None:
    """Also those that a known node selects: it may have been changed. When the watch is back, they are let in."""
    async with watched(cluster) as webhook:
        cluster.refuse(503, kind)
        await until(lambda: _reflector(webhook, kind).disconnected, "the loss of contact")
        response = await webhook.answer("product")
        cluster.refuse(None)
        await until(lambda: _reflector(webhook, kind).disconnected is None, "contact")

        assert not response["allowed"]
        assert "gets no sidecar yet" in response["status"]["message"]
        assert "patch" in await webhook.answer("product")


async def test_a_watch_that_decides_nothing_may_be_out_of_contact(cluster: Cluster) -> None:
    """Services and pods have no say in which sidecar a pod gets."""
    async with watched(cluster) as webhook:
        for kind in (SERVICES, PODS):
            cluster.refuse(503, kind)
            await until(lambda one=kind: _reflector(webhook, one).disconnected, "no contact")  # type: ignore[misc]

            assert "patch" in await webhook.answer("product")


async def test_after_an_outage_pods_are_let_in_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that asks about a pod answers again: what it has is read, and the watches follow."""
    monkeypatch.setattr("shopmesh.kubernetes.api.retry_wait.MIN_BACKOFF", 3600.0)
    monkeypatch.setattr("shopmesh.kubernetes.api.retry_wait.MAX_BACKOFF", 3600.0)
    async with watched(cluster) as webhook:
        cluster.stop()
        await until(lambda: all(one.disconnected for one in webhook.store.reflectors), "the outage")
        cluster.put(node("order"))
        cluster.start()

        assert "patch" in await webhook.answer("order")


async def test_a_namespace_that_forbids_rights_has_explicit_sidecars(cluster: Cluster) -> None:
    """By its annotation, and a pod by its own: nothing in the pod needs NET_ADMIN then."""
    metadata = {"name": "default", "annotations": {"shopmesh.dev/sidecar-mode": "explicit"}}
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    async with watched(cluster) as webhook:
        patch = base64.b64decode((await webhook.answer("product"))["patch"]).decode()
        cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {**metadata, "annotations": {}}})
        await until(lambda: not webhook.store.namespace_annotations, "the namespace's event")
        other = base64.b64decode((await webhook.answer("product"))["patch"]).decode()

    assert '"shopmesh.dev/sidecar": "explicit"' in patch
    assert "NET_ADMIN" not in patch
    assert "NET_ADMIN" in other


async def test_a_namespace_is_read_once_for_all_who_ask_meanwhile(cluster: Cluster) -> None:
    """Hundreds of pods of a Job are no hundreds of lists."""
    async with watched(cluster) as webhook:
        cluster.delay(0.2)
        before = len(cluster.asked_for("list", VIRTUAL_NODES))
        answers = await asyncio.gather(*(webhook.answer("other") for _ in range(12)))

        assert all(one["allowed"] for one in answers)
        assert len(cluster.asked_for("list", VIRTUAL_NODES)) - before <= 4


@pytest.mark.parametrize("namespace", ["", "..", "default/../../secrets", "x" * 64, "A"])
async def test_only_the_name_of_a_namespace_goes_into_a_request(namespace: str, cluster: Cluster) -> None:
    """Strangers may call the webhook, too."""
    async with watched(cluster) as webhook:
        view = fresh_view.FreshView(webhook.api, webhook.store)
        before = len(cluster.asked)
        with pytest.raises(fresh_view.StaleViewError):
            await view.read(namespace)

        assert before == len(cluster.asked)


async def test_a_read_never_begins_before_it_was_asked_for() -> None:
    """Those who ask while one runs share the next one."""
    numbers, begun, go_on = itertools.count(1), [], asyncio.Event()

    async def load(_: str) -> None:
        begun.append(next(numbers))
        await go_on.wait()

    reads = SharedRead(load)
    first = asyncio.create_task(reads.get("default"))
    await until(lambda: begun == [1], "the first read")
    later = [asyncio.create_task(reads.get("default")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in (first, *later))
    go_on.set()
    await asyncio.gather(first, *later)

    assert [1, 2] == begun


def _reflector(webhook: Watched, kind: Any) -> Any:
    return next(one for one in webhook.store.reflectors if one.kind == kind)


def _refuse_lists(asked: Any) -> None:
    if asked.what == "list":
        raise on_purpose(503)
