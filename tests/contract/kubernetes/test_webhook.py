"""The webhook over HTTPS, as the API server calls it: by the authority that it was told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.resource_types import MUTATING_WEBHOOKS
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.identity.certificate_authority import CertificateAuthority
from shopmesh.kubernetes.identity.certificates import CA_NAME, Certificates
from shopmesh.kubernetes.injection import webhook
from tests.contract.kubernetes.reflecting import speaking
from tests.contract.kubernetes.serving_webhook import Ask, served_by
from tests.support.kubernetes import Cluster
from tests.support.system_objects import NAMESPACE, SYSTEM, configuration, review, secret


class Known:
    """What is known of the cluster: nodes by the label `app`, of which `both` has two, and `copy` one not in use."""

    def __init__(self) -> None:
        self.objects: dict[ObjectName, Any] = {ObjectName("Mesh", "", "shop"): {"spec": {"namespaceSelector": {}}}}
        self.namespaces: dict[str, Any] = {}
        self.selectors_revision = 1
        self.reflectors: tuple[Any, ...] = ()
        self.namespace_annotations: dict[str, dict[str, str]] = {}
        for name, app in (("product", "product"), ("one", "both"), ("two", "both")):
            self.objects[ObjectName("VirtualNode", "default", name)] = {
                "spec": {
                    "awsName": f"{name}-vn",
                    "podSelector": {"matchLabels": {"app": app}},
                    "listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}],
                }
            }
        copied = {"awsName": "product-vn", "podSelector": {"matchLabels": {"app": "copy"}}}
        self.objects[ObjectName("VirtualNode", "default", "copy")] = {"spec": copied}
        self.owners = {Key("virtualNode", ("shop", "product-vn")): ObjectName("VirtualNode", "default", "product")}

    def on_upsert(self, kind: Any, found: Any) -> None:
        """The API server of these tests has no nodes."""


@contextlib.asynccontextmanager
async def served(cluster: Cluster) -> AsyncIterator[tuple[Ask, Certificates]]:
    """The webhook over what `Known` knows, and how an API server asks it."""
    known = Known()
    async with (
        speaking(cluster.configuration()) as server,
        served_by(cluster, server, known, CachedSelectors(known)) as found,
    ):
        yield found


def patched(asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of it."""
    pod: dict[str, Any] = json.loads(json.dumps(asked["request"]["object"]))
    assert "JSONPatch" == answer["response"]["patchType"]
    for operation in json.loads(base64.b64decode(answer["response"]["patch"])):
        _, section, field = operation["path"].split("/")
        assert "add" == operation["op"]
        pod[section][field] = operation["value"]
    return pod


@pytest.fixture(autouse=True)
def begun(cluster: Cluster) -> None:
    cluster.put(NAMESPACE)
    cluster.put(configuration())


async def test_a_selected_pod_comes_up_with_its_sidecar(cluster: Cluster) -> None:
    """It is stamped with whose proxy it is, whatever its author wrote there; asked again, nothing changes."""
    asked = review({"app": "product"}, preview="enabled")
    async with served(cluster) as (ask, _):
        status, answer = await asyncio.to_thread(ask, asked)
        pod = patched(asked, answer)
        lying = review({"app": "product"})
        lying["request"]["object"]["metadata"]["annotations"]["shopmesh.dev/proxy-of"] = "virtualnode/order"
        _, corrected = await asyncio.to_thread(ask, lying)
        again = {**asked, "request": {**asked["request"], "object": pod}}
        _, second = await asyncio.to_thread(ask, again)

    uid = asked["request"]["uid"]
    assert 200 == status
    assert ("admission.k8s.io/v1", "AdmissionReview", uid) == (
        answer["apiVersion"],
        answer["kind"],
        answer["response"]["uid"],
    )
    assert ["proxy-init", "envoy"] == [one["name"] for one in pod["spec"]["initContainers"]]
    assert {"app": "product", "shopmesh.dev/virtual-node": "product-vn", "shopmesh.dev/sidecar": "intercepted"} == (
        pod["metadata"]["labels"]
    )
    assert "virtualnode/product" == pod["metadata"]["annotations"]["shopmesh.dev/proxy-of"]
    assert "virtualnode/product" == patched(lying, corrected)["metadata"]["annotations"]["shopmesh.dev/proxy-of"]
    assert "was 'virtualnode/order', and is 'virtualnode/product' now" in corrected["response"]["warnings"][0]
    assert ["appmesh.k8s.aws/preview is not honoured: there is no preview channel"] == answer["response"]["warnings"]
    assert {"uid": uid, "allowed": True} == second["response"]


async def test_the_webhook_answers_while_the_api_server_answers_nobody(cluster: Cluster) -> None:
    """A pod that a known node selects needs no other request while the watches have noticed nothing."""
    asked = review({"app": "product"})
    async with served(cluster) as (ask, _):
        cluster.refuse(503)
        before = len(cluster.asked)
        status, answer = await asyncio.to_thread(ask, asked)
        assert before == len(cluster.asked)

    assert (200, True) == (status, answer["response"]["allowed"])
    assert "envoy" in json.dumps(patched(asked, answer))


@pytest.mark.parametrize(
    ("labels", "annotations", "why"),
    [
        ({"app": "other"}, {}, None),
        ({"app": "product"}, {"sidecarInjectorWebhook": "disabled"}, None),
        ({"app": "both"}, {}, "VirtualNode one, VirtualNode two select it"),
        ({"app": "other"}, {"sidecarInjectorWebhook": "enabled"}, "no VirtualNode or VirtualGateway"),
        ({"app": "other", "shopmesh.dev/virtual-node": "x"}, {}, "no VirtualNode or VirtualGateway"),
        ({"app": "copy"}, {}, "another object than its VirtualNode copy is virtual node product-vn"),
        ({"app": "product"}, {"cpuLimit": "much"}, "annotation appmesh.k8s.aws/cpuLimit is 'much'"),
    ],
)
async def test_a_pod_without_a_sidecar(labels: Any, annotations: Any, why: str | None, cluster: Cluster) -> None:
    """It is left alone where nothing says that it is of the mesh, and refused with the reason where it is."""
    async with served(cluster) as (ask, _):
        status, answer = await asyncio.to_thread(ask, review(labels, **annotations))
    response = answer["response"]

    assert 200 == status
    assert "patch" not in response
    assert (why is None) == response["allowed"]
    if why is not None:
        assert why in response["status"]["message"]
        assert "pod default/product-7d9f-… gets no sidecar" in response["status"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"request": {}}', 400),
        ({**review({}), "apiVersion": "admission.k8s.io/v1beta1"}, 400),
        (b"[" * 100_000, 400),
        (b" " * (webhook.MAX_BYTES + 1), 413),
    ],
)
async def test_what_is_no_review_is_refused(body: Any, status: int, cluster: Cluster) -> None:
    """Whatever comes, the next is answered."""
    async with served(cluster) as (ask, _):
        found, _ = await asyncio.to_thread(ask, body)
        after, _ = await asyncio.to_thread(ask, review({}))

    assert (status, 200) == (found, after)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": f"control-plane.{SYSTEM}.svc"}, 200),
        ({"host": f"control-plane.{SYSTEM}.svc:443"}, 200),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"content-type": "text/plain"}, 415),
    ],
)
async def test_it_is_asked_by_the_name_of_its_service(headers: Any, status: int, cluster: Cluster) -> None:
    """As an API server does, and no web page."""
    async with served(cluster) as (ask, _):
        found, _ = await asyncio.to_thread(lambda: ask(review({}), **headers))

    assert status == found


@pytest.mark.parametrize("spec", [5, [], {"containers": 7}, {"containers": [None]}, {"volumes": "x"}])
async def test_a_pod_that_cannot_be_read_is_refused_alone(spec: Any, cluster: Cluster) -> None:
    """An answer, not an error of ours; and the next pod gets its sidecar."""
    async with served(cluster) as (ask, _):
        asked = review({"app": "product"})
        asked["request"]["object"]["spec"] = spec
        status, answer = await asyncio.to_thread(ask, asked)
        assert (200, False) == (status, answer["response"]["allowed"])
        assert "gets no sidecar" in answer["response"]["status"]["message"]

        _, answer = await asyncio.to_thread(ask, review({"app": "product"}))
        assert "patch" in answer["response"]


async def test_another_authority_is_told_to_the_api_server(cluster: Cluster) -> None:
    """All webhooks of the configuration have it, nothing else of it changes, and calls go on without a restart."""
    async with served(cluster) as (ask, certificates):
        data = CertificateAuthority.create("another", 1_700_000_000.0).secret_data()
        cluster.put(secret(CA_NAME, ca_crt=data["ca.crt"], ca_key=data["ca.key"]))
        await certificates.refresh()
        status, _ = await asyncio.to_thread(ask, review({}))
        patches = len(cluster.asked_for("patch", MUTATING_WEBHOOKS))
        await certificates.refresh()
        assert patches == len(cluster.asked_for("patch", MUTATING_WEBHOOKS))

        cluster.put(configuration())
        await certificates.refresh()
    found = cluster.get(MUTATING_WEBHOOKS, webhook.NAME)["webhooks"]

    assert 200 == status
    assert [base64.b64encode(data["ca.crt"]).decode()] * 2 == [one["clientConfig"].pop("caBundle") for one in found]
    assert configuration()["webhooks"] == found


async def test_a_cluster_without_the_webhook_is_none_the_worse(cluster: Cluster) -> None:
    """Whoever does not want it leaves its configuration out."""
    cluster.remove(MUTATING_WEBHOOKS, webhook.NAME)
    async with speaking(cluster.configuration()) as server:
        authority = CertificateAuthority.create("one", 1_800_000_000.0)

        assert await webhook.publish_ca_bundle(server, authority) is None
        cluster.refuse(403, MUTATING_WEBHOOKS)
        assert "MutatingWebhookConfiguration shopmesh" in str(await webhook.publish_ca_bundle(server, authority))
