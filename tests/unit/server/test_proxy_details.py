"""What is remembered of each proxy: its last answers, and its configuration before the present one."""

from __future__ import annotations

from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.appmesh.store import Resource
from shopmesh.server.grpc.answer_log import LONGEST_MESSAGE, MOST_ANSWERS, AnswerLog
from shopmesh.xds.node import Identity
from shopmesh.xds.stream.delta_stream import Answer
from tests.unit.xds import meshes
from tests.unit.xds.control_planes import Plane, Stream, running

ORDER = Identity("shop", "virtualNode", "order", "order-1")


def half() -> Resource:
    return meshes.route("product-r", "all", {"product": 50, "product-v2": 50})


def refuse(stream: Stream, messages: list[bytes]) -> None:
    """The proxy refuses each of these responses."""
    for data in messages:
        response = DeltaDiscoveryResponse.FromString(data)
        answer = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        answer.error_detail.message = "no such filter"
        stream.session.receive(answer.SerializeToString())


def test_the_last_twenty_answers_are_kept_newest_first() -> None:
    log = AnswerLog()
    for number in range(MOST_ANSWERS + 5):
        log.add(Answer("routes", f"v{number}", 10.0 + number, None), 10.0125 + number)
    found = [one.to_document() for one in log.newest_first()]

    assert MOST_ANSWERS == len(found)
    assert {
        "at": 34.0125,
        "type": "routes",
        "version": "v24",
        "ack": True,
        "message": None,
        "milliseconds": 12.5,
    } == found[0]
    assert "v5" == found[-1]["version"]


def test_texts_of_envoy_are_bounded_and_equal_ones_are_kept_once() -> None:
    """A secret that cannot be loaded is refused again every five seconds."""
    log = AnswerLog()
    for number in range(3):
        log.add(Answer("secrets", "v", float(number), "x" * 2 * LONGEST_MESSAGE), 1.0 + number)
    first, *others = log.newest_first()

    assert first.message is not None
    assert LONGEST_MESSAGE == len(first.message)
    assert all(one.message is first.message for one in others)


@running
async def test_acks_and_nacks_are_logged_with_their_times(plane: Plane) -> None:
    """Each with the version that it answers, and how long the proxy took."""
    await plane.put(*meshes.shop())
    stream = plane.proxy()
    [*_, first] = (plane.proxies.answers_of(ORDER) or (0.0, []))[1]
    assert ("clusters", None, 0.0) == (first.type, first.message, first.milliseconds)

    await plane.put(half())
    messages = stream.session.take()
    plane.now[0] += 0.02
    refuse(stream, messages)
    since, answers = plane.proxies.answers_of(ORDER) or (0.0, [])

    assert 1000.0 == since
    assert ("routes", "no such filter", 20.0, 1000.02) == (
        answers[0].type,
        answers[0].message,
        answers[0].milliseconds,
        answers[0].at,
    )
    stream.session.close()
    assert plane.proxies.answers_of(ORDER) is None


@running
async def test_former_configuration_is_that_before_the_last_change(plane: Plane) -> None:
    """There is none before the first change, and it costs no copy: what did not change is the same object."""
    await plane.put(*meshes.shop())
    plane.proxy()
    assert plane.ads.configuration_of(ORDER, True) is None
    first = plane.ads.configuration_of(ORDER)
    plane.now[0] = 1005.0
    await plane.put(half())
    second, former = plane.ads.configuration_of(ORDER), plane.ads.configuration_of(ORDER, True)
    assert first is not None
    assert second is not None
    assert former is not None
    assert former.snapshot is first.snapshot
    assert (1000.0, 1005.0) == (former.at, second.at)
    assert former.snapshot["clusters"] is second.snapshot["clusters"]
    assert former.snapshot["routes"].version != second.snapshot["routes"].version

    plane.proxy(instance="order-2")
    later = plane.ads.configuration_of(ORDER._replace(instance="order-2"), True)
    assert later is not None
    assert later.snapshot is first.snapshot

    await plane.put(meshes.route("product-r", "all", {"product": 1}))
    third = plane.ads.configuration_of(ORDER, True)
    assert third is not None
    assert third.snapshot is second.snapshot


@running
async def test_each_resource_says_how_far_the_proxy_is_with_it(plane: Plane) -> None:
    await plane.put(*meshes.shop())
    stream = plane.proxy()

    def states() -> dict[str, set[Any]]:
        found = plane.ads.configuration_of(ORDER)
        assert found is not None
        return {kind: {one["state"] for one in each} for kind, each in found.to_document()["types"].items() if each}

    assert {"acknowledged"} == set.union(*states().values())
    await plane.put(half())
    assert {"waiting"} == states()["routes"] - {"acknowledged"}
    messages = stream.session.take()
    assert "sent" in states()["routes"]
    refuse(stream, messages)

    assert "refused" in states()["routes"]
    assert plane.ads.configuration_of(ORDER._replace(instance="order-7")) is None
