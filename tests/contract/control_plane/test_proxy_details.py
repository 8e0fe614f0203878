"""What one proxy was sent and what it answered, and what versions got over time: asked at either of two replicas."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shopmesh.appmesh.store import Resource
from shopmesh.client import Client
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.resources import TYPES
from tests.support.planes import Plane, Planes
from tests.support.policies import ANYTHING
from tests.support.process import eventually
from tests.support.streamed_proxies import connected_proxy
from tests.unit.xds import meshes

PROXY = "/shopmesh/v1/proxies/shop/virtualNode/order/order-1"
ORDER = ProxyNode(mesh="shop", name="order", instance="order-1")


@pytest.fixture
def planes() -> Iterator[Planes]:
    with Planes(host_policy=ANYTHING) as found:
        found.put(*meshes.shop())
        yield found


def get(plane: Plane, path: str) -> Any:
    with urllib.request.urlopen(f"{plane.url}{path}", timeout=10) as answer:
        return json.load(answer)


def refusal(plane: Plane, path: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(plane, path)
    with refused.value as answer:
        return answer.code, json.load(answer)["message"]


def is_in_sync(plane: Plane) -> bool:
    with Client(plane.url) as client:
        return any(one["connected"] and one["inStep"] for one in client.proxies())


@pytest.fixture
def order(planes: Planes) -> Iterator[None]:
    """A proxy of the second replica, with all of its configuration."""
    with connected_proxy(planes, planes.two, ORDER, refuses="x-refused"):
        eventually(lambda: is_in_sync(planes.one), "it has its configuration")
        yield


def half(**more: Any) -> Resource:
    return meshes.route("product-r", "all", {"product": 50, "product-v2": 50}, **more)


def test_answers_of_a_proxy_are_the_same_at_either_replica(planes: Planes, order: None) -> None:
    """Newest first, with what Envoy says of a refusal."""
    here, there = (get(plane, f"{PROXY}/responses") for plane in (planes.two, planes.one))
    assert here == there
    assert {"asked": 2, "answered": 2} == here["replicas"]
    assert {"clusters", "endpoints", "listeners", "routes"} >= {one["type"] for one in here["responses"]}
    assert all(one["ack"] and one["message"] is None and one["milliseconds"] >= 0 for one in here["responses"])
    times = [one["at"] for one in here["responses"]]
    assert times == sorted(times, reverse=True)

    match = {"prefix": "/", "headers": [{"name": "x-refused", "match": {"exact": "yes"}}]}
    planes.put(half(match=match))
    eventually(lambda: not get(planes.one, f"{PROXY}/responses")["responses"][0]["ack"], "it refuses the route")
    newest = get(planes.one, f"{PROXY}/responses")["responses"][0]
    assert ("routes", "x-refused is not known") == (newest["type"], newest["message"])


def test_configuration_of_a_proxy_is_the_same_at_either_replica(planes: Planes, order: None) -> None:
    """All types or those that are asked for; the one before it is kept."""
    here, there = (get(plane, f"{PROXY}/config") for plane in (planes.two, planes.one))
    assert here == there
    assert list(TYPES) == list(here["types"])
    assert ("order-1", True, "current") == (here["proxy"]["instance"], here["proxy"]["inStep"], here["snapshot"])
    assert {"acknowledged"} == {one["state"] for found in here["types"].values() for one in found}
    assert "product.local:5000" in json.dumps(here["types"]["routes"])
    assert [404, 404] == [refusal(plane, f"{PROXY}/config?snapshot=former")[0] for plane in (planes.one, planes.two)]

    planes.put(half())
    former, now = (get(planes.one, f"{PROXY}/config?type=routes{more}") for more in ("&snapshot=former", ""))
    assert ["routes"] == list(former["types"]) == list(now["types"])
    assert (here["version"], "former") == (former["version"], former["snapshot"])
    assert [
        {name: value for name, value in one.items() if name != "state"} for one in here["types"]["routes"]
    ] == former["types"]["routes"]
    assert now["version"] != here["version"]


def test_secrets_of_a_configuration_are_not_shown(planes: Planes, order: None) -> None:
    """Neither those of a patch nor the headers that a document adds."""
    secret = "s3cr3t-that-nobody-may-see"
    key = f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"
    context = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"tls_certificates": [{"private_key": {"inline_string": key}}]},
    }
    patch = {"cluster/*": {"transport_socket": {"name": "tls", "typed_config": context}}}
    [node] = [one for one in meshes.shop() if one.key.name == "order"]
    planes.put(
        replace(node, tags=(("shopmesh.dev/patch", json.dumps(patch)),)),
        replace(half(), tags=(("shopmesh.dev/request-headers-add", f"authorization={secret}"),)),
    )
    texts = [
        json.dumps(get(planes.one, f"{PROXY}/{path}")) for path in ("config", "config?snapshot=former", "responses")
    ]

    assert "transport_socket" in texts[0]
    assert '"authorization", "value": "[redacted]"' in texts[0]
    assert not [one for text in texts for one in (secret, "PRIVATE KEY") if one in text]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"{PROXY}/config?type=rules", 400, "type='rules' does not exist; there are clusters, endpoints"),
        (f"{PROXY}/config?snapshot=oldest", 400, "snapshot='oldest' does not exist; there are current, former"),
        (f"{PROXY}/config", 404, "no proxy order-1 of virtualNode shop/order is connected"),
        (f"{PROXY}/responses", 404, "no proxy order-1 of virtualNode shop/order is connected"),
        ("/shopmesh/v1/history?mesh=shop", 400, "virtualService is missing"),
        ("/shopmesh/v1/history?mesh=shop&virtualService=x", 404, "there is no virtual service 'x' in the mesh 'shop'"),
        ("/shopmesh/v1/history?mesh=shop&virtualService=x&seconds=x", 400, "seconds='x' is not a number"),
    ],
)
def test_what_there_is_not_is_refused_with_a_reason(planes: Planes, path: str, status: int, message: str) -> None:
    found, text = refusal(planes.one, path)

    assert (status, True) == (found, message in text), text


def test_replica_that_does_not_answer_may_have_the_proxy(planes: Planes) -> None:
    """So that is not said to be gone."""
    planes.run(planes.two.stop())

    assert (503, True) == (lambda found: (found[0], "1 of 2 replicas did not answer" in found[1]))(
        refusal(planes.one, f"{PROXY}/config")
    )


def test_history_has_a_series_a_version_and_the_weights(planes: Planes) -> None:
    """At most 600 points, whatever is asked for; without requests all zero."""
    planes.put(half())
    found = get(planes.one, "/shopmesh/v1/history?mesh=shop&virtualService=product.local&seconds=1e9")

    assert (3.0, ["product", "product-v2"]) == (found["step"], [one["virtualNode"] for one in found["series"]])
    assert {600} == {len(one[name]) for one in found["series"] for name in ("requests", "errors", "p50", "p99")}
    assert {"asked": 2, "answered": 2} == found["replicas"]
    assert {"product": 50, "product-v2": 50} == found["weights"][-1]["weights"]
