"""The rules of serving xDS, one by one; `Pitfall` names the row of App Mesh's chapter 3 that a test stands for."""

from __future__ import annotations

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from shopmesh.xds.resources import TYPE_URLS
from shopmesh.xds.snapshot import Snapshot, SnapshotError, build_snapshot
from shopmesh.xds.stream import subscription_state
from shopmesh.xds.stream.delta_stream import MOST_CHARACTERS, MOST_OTHER_TYPES, DeltaStream
from shopmesh.xds.stream.nack_reason import LONGEST_NACK
from shopmesh.xds.stream.responses import ResponseCache
from shopmesh.xds.stream.subscription import MOST_IN_FLIGHT
from shopmesh.xds.stream.subscription_state import LimitError
from tests.unit.xds.envoys import Envoy, make_resource, simple, snapshot_of


class Stream:
    """A delta stream and what it sent, for tests that say what the client does by hand."""

    def __init__(self, snapshot: Snapshot | None = None, responses: ResponseCache | None = None) -> None:
        self.delta_stream = DeltaStream(responses or ResponseCache())
        if snapshot is not None:
            self.delta_stream.offer(snapshot)

    def ask(self, kind: str, *names: str, **more: object) -> list[DeltaDiscoveryResponse]:
        url = next((url for name, url in TYPE_URLS.items() if name == kind), kind)
        request = DeltaDiscoveryRequest(type_url=url, resource_names_subscribe=names, **more)
        self.delta_stream.receive(request)
        return self.take()

    def answer(self, response: DeltaDiscoveryResponse, error: str = "") -> list[DeltaDiscoveryResponse]:
        request = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if error:
            request.error_detail.message = error
        self.delta_stream.receive(request)
        return self.take()

    def offer(self, snapshot: Snapshot) -> list[DeltaDiscoveryResponse]:
        self.delta_stream.offer(snapshot)
        return self.take()

    def take(self) -> list[DeltaDiscoveryResponse]:
        return [DeltaDiscoveryResponse.FromString(data) for data in self.delta_stream.take()]


def settle(stream: Stream, envoy: Envoy) -> None:
    """Passes everything to and fro until nobody has anything to say."""
    for _ in range(200):
        sent = stream.delta_stream.take()
        for data in sent:
            envoy.receive(data)
        request = envoy.next_request()
        if request is not None:
            stream.delta_stream.receive(request)
        elif not sent:
            return
    raise AssertionError("they never come to an end")


def in_step(snapshot: Snapshot) -> tuple[Stream, Envoy]:
    stream, envoy = Stream(snapshot), Envoy()
    envoy.connect()
    settle(stream, envoy)
    assert stream.delta_stream.in_sync
    return stream, envoy


def names(responses: list[DeltaDiscoveryResponse]) -> list[tuple[str, list[str], list[str]]]:
    """Type, names sent, names removed."""
    return [
        (one.type_url.rsplit(".", 1)[1], [resource.name for resource in one.resources], list(one.removed_resources))
        for one in responses
    ]


def test_streams_in_the_same_position_share_the_bytes_of_their_responses() -> None:
    """From the first one on: thousands of proxies connect at once after a restart, each with the same questions."""
    responses, snapshot = ResponseCache(), simple({"a": 1, "b": 1})
    sent: list[list[bytes]] = []
    for _ in range(2):
        stream, envoy = Stream(snapshot, responses), Envoy()
        envoy.connect()
        data: list[bytes] = []
        while (request := envoy.next_request()) is not None:
            stream.delta_stream.receive(request)
            for one in stream.delta_stream.take():
                envoy.receive(one)
                data.append(one)
        assert stream.delta_stream.in_sync
        sent.append(data)

    assert len(sent[0]) > 2
    assert all(one is other for one, other in zip(*sent, strict=True))


def test_endpoints_follow_their_cluster_unasked() -> None:
    """Pitfall "EDS must follow CDS": after a change of a cluster its unchanged endpoints are sent again."""
    before, after = simple({"a": 1, "b": 1}), simple({"a": 2, "b": 1})
    stream, _ = in_step(before)

    # As the translation does: endpoints that are the same are the same object.
    same = build_snapshot({**after.collections, "endpoints": before["endpoints"]})
    assert [("Cluster", ["a"], []), ("ClusterLoadAssignment", ["a"], [])] == names(stream.offer(same))


def test_all_requested_endpoints_are_answered() -> None:
    """Pitfall "Partial EDS blocks start-up": unknown names get an empty assignment, once."""
    stream = Stream(simple({"a": 1}))
    stream.ask("clusters")

    (response,) = stream.ask("endpoints", "a", "unknown")

    assert ["a", "unknown"] == [one.name for one in response.resources]
    assert stream.answer(response) == []
    assert [("ClusterLoadAssignment", ["unknown"], [])] == names(stream.ask("endpoints", "unknown"))


def test_unknown_routes_are_told_as_removed_and_sent_when_they_come() -> None:
    """A name that does not exist is remembered: it is sent as soon as it does."""
    stream = Stream(simple({}))
    stream.answer(stream.ask("clusters")[0])
    stream.ask("listeners")

    (response,) = stream.ask("routes", "later")
    assert ["later"] == list(response.removed_resources)
    assert stream.answer(response) == []

    added = snapshot_of(
        listeners=[make_resource("listeners", "l", routes=["r"])],
        routes=[make_resource("routes", "r"), make_resource("routes", "later")],
    )
    assert [("RouteConfiguration", ["later"], [])] == names(stream.offer(added))


def test_routes_wait_for_the_clusters_that_they_need() -> None:
    """Pitfall "Order": clusters and endpoints, their ACK, then routes."""
    stream, _ = in_step(simple({"a": 1}))

    clusters, *rest = stream.offer(simple({"a": 1, "b": 1}))
    assert ["b"] == [one.name for one in clusters.resources]
    assert rest == []
    (endpoints,) = stream.ask("endpoints", "b")
    assert stream.answer(endpoints) == []
    assert [("RouteConfiguration", ["r"], [])] == names(stream.answer(clusters))


def test_the_first_routes_wait_for_the_first_clusters() -> None:
    """However early they are asked for."""
    stream = Stream(simple({"a": 1}))
    (clusters,) = stream.ask("clusters")

    assert stream.ask("routes", "r") == []
    assert [("RouteConfiguration", ["r"], [])] == names(stream.answer(clusters))


def test_clusters_go_when_the_routes_have_left_them() -> None:
    """Pitfall "Order": what is stale is removed only after the routes' ACK."""
    stream, _ = in_step(simple({"a": 1, "b": 1}))

    (routes,) = stream.offer(simple({"a": 1}))
    assert ("RouteConfiguration", ["r"], []) == names([routes])[0]
    assert [("Cluster", [], ["b"])] == names(stream.answer(routes))


def test_a_cluster_that_is_being_removed_counts_as_gone() -> None:
    """Wanted again in that moment, it is added anew, and routes wait for it as for any other."""
    stream, _ = in_step(simple({"a": 1, "b": 1}))
    (routes,) = stream.offer(simple({"a": 1}))
    (removal,) = stream.answer(routes)

    addition, *endpoints = stream.offer(simple({"a": 1, "b": 1}))
    assert [("Cluster", ["b"], []), ("ClusterLoadAssignment", ["b"], [])] == names([addition, *endpoints])
    assert stream.answer(removal) == []
    assert [("RouteConfiguration", ["r"], [])] == names(stream.answer(addition))


def test_a_refused_route_keeps_the_clusters_of_the_former_one() -> None:
    """While a route is refused the one before it serves, and needs its clusters."""
    stream, _ = in_step(simple({"a": 1, "b": 1}))

    (routes,) = stream.offer(simple({"a": 1}))

    assert stream.answer(routes, error="no") == []
    assert not stream.delta_stream.in_sync


def test_listeners_leave_before_their_clusters() -> None:
    """A cluster that only a removed listener needed goes after the ACK of that removal."""
    before = snapshot_of(
        clusters=[make_resource("clusters", "a")],
        listeners=[make_resource("listeners", "l"), make_resource("listeners", "m", ["a"])],
    )
    stream, _ = in_step(before)

    (listeners,) = stream.offer(snapshot_of(listeners=[make_resource("listeners", "l")]))
    assert [("Listener", [], ["m"])] == names([listeners])
    assert [("Cluster", [], ["a"])] == names(stream.answer(listeners))


def test_a_pure_change_of_routes_goes_out_at_once() -> None:
    """One response, no waiting: nothing else has changed."""
    stream, _ = in_step(simple({"a": 1}))

    assert [("RouteConfiguration", ["r"], [])] == names(stream.offer(simple({"a": 1}, content=2)))


def test_routes_do_not_wait_for_clusters_that_they_do_not_need() -> None:
    """A cluster that warms holds up nothing but what needs it."""
    stream, _ = in_step(simple({"a": 1}))
    stream.offer(simple({"a": 1, "slow": 1}, route=["a"]))

    assert [("RouteConfiguration", ["r"], [])] == names(stream.offer(simple({"a": 1, "slow": 1}, ["a"], content=2)))


def test_a_refusal_keeps_its_text_until_something_better_is_taken() -> None:
    """Pitfall "ACK / NACK": error_detail decides; the same content is not sent again, the next one is."""
    stream, _ = in_step(simple({"a": 1}))
    (routes,) = stream.offer(simple({"a": 1}, content=2))

    assert stream.answer(routes, error="bad regex") == []
    assert stream.delta_stream.subscriptions["routes"].nack_message == "bad regex"
    assert stream.take() == []

    (better,) = stream.offer(simple({"a": 1}, content=3))
    stream.answer(better)
    assert stream.delta_stream.subscriptions["routes"].nack_message is None
    assert stream.delta_stream.in_sync


def test_one_bad_cluster_does_not_keep_the_good_ones_out() -> None:
    """Envoy throws a whole response away for one bad resource: the good ones are found by halving."""
    clusters = [make_resource("clusters", name, bad=name == "c") for name in "abcde"]
    stream, envoy = Stream(snapshot_of(clusters=clusters)), Envoy()
    envoy.connect()
    settle(stream, envoy)

    assert set("abde") == set(envoy.has["clusters"])
    assert stream.delta_stream.subscriptions["clusters"].nacked.keys() == {"c"}
    assert "c" in (stream.delta_stream.subscriptions["clusters"].nack_message or "")

    stream.delta_stream.offer(snapshot_of(clusters=[*clusters, make_resource("clusters", "later")]))
    settle(stream, envoy)
    assert "later" in envoy.has["clusters"]


@pytest.mark.parametrize("former", [True, False], ids=["has a former table", "has none"])
def test_routes_to_a_cluster_refused_for_good(former: bool) -> None:
    """Who has a table keeps it, for the new one would break it; who has none gets the new one for the rest."""
    bad = snapshot_of(
        clusters=[make_resource("clusters", "a"), make_resource("clusters", "b", bad=True)],
        listeners=[make_resource("listeners", "l", routes=["r"])],
        routes=[make_resource("routes", "r", ["a", "b"], v=2)],
    )
    good = snapshot_of(
        clusters=[make_resource("clusters", "a")],
        listeners=[make_resource("listeners", "l", routes=["r"])],
        routes=[make_resource("routes", "r", ["a"], v=1)],
    )
    stream, envoy = Stream(good if former else bad), Envoy()
    envoy.connect()
    settle(stream, envoy)
    stream.delta_stream.offer(bad)
    settle(stream, envoy)

    assert envoy.has["routes"]["r"]["v"] == (1 if former else 2)
    assert set(envoy.has["clusters"]) == {"a"}


def test_what_a_refused_response_left_behind_is_removed() -> None:
    """Envoy may have taken the good ones of a response that it refused: they are told apart only by asking for less."""
    stream, envoy = in_step(simple({}))
    envoy.accepts_partially = True
    for data in _offered(
        stream, snapshot_of(clusters=[make_resource("clusters", "good"), make_resource("clusters", "bad", bad=True)])
    ):
        envoy.receive(data)
    stream.delta_stream.offer(simple({}))
    settle(stream, envoy)

    assert envoy.has["clusters"] == {}
    assert stream.delta_stream.in_sync


def test_what_a_refused_response_left_behind_is_removed_after_a_second_refusal() -> None:
    """The later response changes the good one for the worse: the version of the first is there all the same."""
    stream, envoy = in_step(simple({}))
    envoy.accepts_partially = True
    first = snapshot_of(clusters=[make_resource("clusters", "good"), make_resource("clusters", "bad", bad=True)])
    second = snapshot_of(
        clusters=[make_resource("clusters", "good", bad=True), make_resource("clusters", "bad", bad=True)]
    )
    for data in [*_offered(stream, first), *_offered(stream, second)]:
        envoy.receive(data)
    stream.delta_stream.offer(simple({}))
    settle(stream, envoy)

    assert envoy.has["clusters"] == {}
    assert stream.delta_stream.in_sync


def test_a_version_from_before_two_refusals_is_sent_again() -> None:
    """Envoy may have taken what came between, so the version that was acknowledged last is not known to be there."""
    stream, envoy = in_step(snapshot_of(clusters=[make_resource("clusters", "a", v=1)]))
    envoy.accepts_partially = True
    between = snapshot_of(clusters=[make_resource("clusters", "a", v=2), make_resource("clusters", "bad", bad=True)])
    worse = snapshot_of(clusters=[make_resource("clusters", "a", v=3, bad=True)])
    for data in [*_offered(stream, between), *_offered(stream, worse)]:
        envoy.receive(data)
    settle(stream, envoy)
    stream.delta_stream.offer(snapshot_of(clusters=[make_resource("clusters", "a", v=1)]))
    settle(stream, envoy)

    assert envoy.has["clusters"]["a"]["v"] == 1
    assert stream.delta_stream.in_sync


def test_a_cluster_of_a_refused_response_counts_once_it_is_taken_by_itself() -> None:
    """While the halves of a refused response are under way, the acknowledgement of one says nothing of the other."""
    stream, _ = in_step(simple({"a": 1}))
    both = simple({"a": 1, "b": 1, "c": 1}, route=["a"])
    (refused,) = stream.offer(both)
    _, half, other = responses = [refused, *stream.answer(refused, error="one of these is bad")]
    assert [["b", "c"], ["b"], ["c"]] == [[one.name for one in response.resources] for response in responses]

    stream.answer(half)
    routed = simple({"a": 1, "b": 1, "c": 1}, route=["a", "c"])
    assert stream.offer(routed) == []
    assert [("RouteConfiguration", ["r"], [])] == names(
        [one for one in stream.answer(other) if one.type_url == TYPE_URLS["routes"]]
    )


def test_an_acknowledgement_after_a_refusal_accepts_only_its_own() -> None:
    """What was refused before it is not there, though the later response was made as if it were."""
    stream, _ = in_step(simple({"a": 1}))
    (first,) = stream.offer(simple({"a": 1, "b": 1, "c": 1}, route=["a"]))
    (second,) = stream.offer(simple({"a": 1, "b": 1, "c": 1, "d": 1}, route=["a"]))

    stream.answer(first, error="one of these is bad")
    stream.answer(second)

    assert stream.offer(simple({"a": 1, "b": 1, "c": 1, "d": 1}, route=["a", "b"])) == []
    assert stream.offer(simple({"a": 1, "b": 1, "c": 1, "d": 1}, route=["a", "d"])) != []


def _offered(stream: Stream, snapshot: Snapshot) -> list[bytes]:
    stream.delta_stream.offer(snapshot)
    return stream.delta_stream.take()


def test_a_nonce_still_awaited_is_not_given_again() -> None:
    """The bytes of a response are shared, but never twice by one stream at a time."""
    responses, resources = ResponseCache(), (make_resource("routes", "r"),)
    first = responses.make("url", "1", resources, ())

    assert responses.make("url", "1", resources, ()) is first
    assert responses.make("url", "1", resources, (), pending_nonces=[first.nonce]).nonce != first.nonce


def test_stale_nonces_are_ignored() -> None:
    """Pitfall "Nonces": an answer to what is no longer awaited changes nothing."""
    stream, _ = in_step(simple({"a": 1}))
    (first,) = stream.offer(simple({"a": 1}, content=2))
    (second,) = stream.offer(simple({"a": 1}, content=3))
    stream.answer(second)
    assert stream.delta_stream.in_sync

    assert stream.answer(first, error="too late") == []
    assert stream.answer(DeltaDiscoveryResponse(type_url=TYPE_URLS["routes"], nonce="never sent"), "no") == []
    assert stream.delta_stream.in_sync

    (third,) = stream.offer(simple({"a": 1}, content=4))
    stream.answer(first, error="still too late")
    assert stream.delta_stream.subscriptions["routes"].nack_message is None
    assert not stream.delta_stream.in_sync
    stream.answer(third)
    assert stream.delta_stream.in_sync


def test_a_stale_nonce_does_not_spoil_a_subscription() -> None:
    """The protocol: changes of what is asked for hold even when the nonce is stale."""
    stream, _ = in_step(simple({"a": 1}))

    assert [("ClusterLoadAssignment", ["a"], [])] == names(stream.ask("endpoints", "a", response_nonce="stale"))


def test_the_nonces_of_unanswered_responses_differ() -> None:
    """Pitfall "Nonces": the same content twice on one stream is told apart."""
    stream, _ = in_step(simple({"a": 1}))

    first = stream.ask("endpoints", "a")
    second = stream.ask("endpoints", "a")

    assert first[0].nonce != second[0].nonce


def test_versions_change_only_with_content() -> None:
    """Pitfall "Versions": nothing is pushed for a snapshot of equal content."""
    stream, _ = in_step(simple({"a": 1}))

    assert stream.offer(simple({"a": 1})) == []
    assert stream.delta_stream.in_sync


def test_a_snapshot_with_the_same_content_is_there_already() -> None:
    """A proxy is in step with it before anybody asks what is to be sent: nobody is woken when no version changed."""
    stream, _ = in_step(simple({"a": 1}))

    stream.delta_stream.offer(simple({"a": 1}))

    assert stream.delta_stream.in_sync
    assert [] == stream.take()


def test_names_asked_for_again_are_answered_again() -> None:
    """Pitfall "Versions": who asks has forgotten, whatever was sent before."""
    stream, _ = in_step(simple({"a": 1}))

    assert [("ClusterLoadAssignment", ["a"], [])] == names(stream.ask("endpoints", "a"))


def test_an_empty_type_is_answered_too() -> None:
    """A proxy waits for the first answer about clusters and listeners even where there are none."""
    stream = Stream(snapshot_of())

    assert [("Cluster", [], [])] == names(stream.ask("clusters"))
    assert [("Listener", [], [])] == names(stream.ask("listeners"))


def test_a_reconnecting_proxy_is_sent_what_has_changed() -> None:
    """Initial versions: what it has is not sent again, what is gone is removed, and it is in step at once."""
    before = simple({"a": 1})
    _, envoy = in_step(before)
    again = Stream(before)
    envoy.connect()
    envoy.responses.clear()
    settle(again, envoy)

    assert envoy.responses == []
    assert again.delta_stream.in_sync

    after = Stream(simple({"b": 1}))
    envoy.connect()
    settle(after, envoy)
    assert set(envoy.has["clusters"]) == {"b"}
    assert envoy.problems == []


def test_a_reconnecting_proxy_that_warms_gets_its_endpoints_again() -> None:
    """Pitfall "Reconnect": endpoints asked for before clusters are sent though the proxy says to have them."""
    snapshot = simple({"a": 1})
    versions = snapshot["endpoints"].versions
    stream = Stream(snapshot)

    assert [("ClusterLoadAssignment", ["a"], [])] == names(
        stream.ask("endpoints", "a", initial_resource_versions=versions)
    )


def test_clusters_do_not_change_while_a_proxy_initialises() -> None:
    """Envoy 1.40 waits for ever when a first cluster is replaced before it asked for listeners."""
    stream = Stream(simple({"a": 1}))
    stream.answer(stream.ask("clusters")[0])

    assert stream.offer(simple({"a": 2})) == []
    assert ("Cluster", ["a"], []) in names(stream.ask("listeners"))


def test_unknown_types_are_answered_once_and_close_nothing() -> None:
    """Pitfall "Unknown type URLs": what is asked for is told as removed, and the answer is not answered."""
    stream = Stream(simple({}))

    (response,) = stream.ask("type.googleapis.com/envoy.service.runtime.v3.Runtime", "rtds")
    assert ["rtds"] == list(response.removed_resources)
    assert stream.answer(response) == []
    assert stream.answer(response, error="not that") == []


def test_unknown_types_are_bounded() -> None:
    """No client makes a stream hold more than a few of them."""
    stream = Stream(simple({}))

    for number in range(MOST_OTHER_TYPES):
        stream.ask(f"type.googleapis.com/unknown.{number}", "x")

    with pytest.raises(LimitError, match="unknown types"):
        stream.ask("type.googleapis.com/unknown.more", "x")


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor more than so many names of a type."""
    monkeypatch.setattr(subscription_state, "MOST_NAMES", 3)
    stream = Stream(simple({}))

    with pytest.raises(LimitError, match="names"):
        stream.ask("endpoints", *"abcd")


def test_long_names_are_bounded_together() -> None:
    """Over all types of a stream: 20,000 names of any length would be many gigabytes."""
    stream = Stream()

    for number in range(8):
        stream.ask("endpoints" if number % 2 else "routes", f"{number}".ljust(MOST_CHARACTERS // 8, "x"))

    with pytest.raises(LimitError, match=f"over {MOST_CHARACTERS} characters"):
        stream.ask("listeners", "one more")


def test_what_a_client_says_to_have_counts_as_what_it_asks_for() -> None:
    """It is remembered as long as the stream."""
    versions = {"x" * (MOST_CHARACTERS // 2): "y" * (MOST_CHARACTERS // 2 + 1)}

    with pytest.raises(LimitError, match="or lists as known"):
        Stream().ask("clusters", initial_resource_versions=versions)


def test_names_that_are_given_up_again_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with a wildcard is to be told of each of them, which a slow one may put off for ever."""
    monkeypatch.setattr(subscription_state, "MOST_NAMES", 3)
    stream = Stream()
    stream.ask("clusters", "*")

    for name in "abc":
        stream.ask("clusters", name)
        stream.ask("clusters", resource_names_unsubscribe=[name])

    with pytest.raises(LimitError, match="names"):
        stream.ask("clusters", "d")


def test_a_type_s_name_is_bounded() -> None:
    """Sixteen types of megabytes each are no sixteen types."""
    with pytest.raises(LimitError, match="type_url has 300 characters"):
        Stream().ask("x" * 300)


def test_the_text_of_a_refusal_is_bounded() -> None:
    """It is shown wherever the proxy is."""
    stream = Stream(simple({"a": 1}))
    (response,) = stream.ask("clusters")
    stream.answer(response, error="x" * 1_000_000)

    assert LONGEST_NACK == len(stream.delta_stream.subscriptions["clusters"].nack_message or "")


def test_nothing_is_answered_before_there_is_a_snapshot() -> None:
    """A held proxy: no empty configuration, and all of it once its node exists."""
    stream = Stream()

    assert stream.ask("clusters") == []
    assert stream.ask("listeners") == []
    assert ("Cluster", ["a"], []) in names(stream.offer(simple({"a": 1})))


def test_changes_for_a_slow_client_go_out_as_one() -> None:
    """Pitfall "Big configs": only so many answers are awaited; of the changes after them the last is sent."""
    stream, _ = in_step(simple({"a": 1}))
    sent = [response for content in range(1, 50) for response in stream.offer(simple({"a": 1}, content=content))]
    assert len(sent) == MOST_IN_FLIGHT

    following = [response for one in sent for response in stream.answer(one)]
    assert len(following) == 1
    stream.answer(following[0])
    assert stream.delta_stream.in_sync


def test_a_wildcard_stays_when_a_name_is_added_to_it() -> None:
    """The protocol: a name unsubscribed beside a wildcard is sent again, for the client cannot know that it has it."""
    stream, _ = in_step(simple({"a": 1}))
    stream.ask("clusters", "a")

    request = DeltaDiscoveryRequest(type_url=TYPE_URLS["clusters"], resource_names_unsubscribe=["a"])
    stream.delta_stream.receive(request)

    assert ("Cluster", ["a"], []) in names(stream.take())


def test_streams_in_the_same_position_share_their_bytes() -> None:
    """A response is serialised once for all of them."""
    responses = ResponseCache()
    snapshot, changed = simple({"a": 1}), simple({"a": 1}, content=2)
    streams = []
    for _ in range(3):
        stream, envoy = Stream(snapshot, responses), Envoy()
        envoy.connect()
        settle(stream, envoy)
        stream.delta_stream.offer(changed)
        streams.append(stream.delta_stream.take())

    assert len({id(data) for stream in streams for data in stream}) == 1


def test_a_snapshot_that_lacks_a_cluster_is_not_made() -> None:
    """Consistency is checked before anything is sent."""
    with pytest.raises(SnapshotError, match=r"r of the routes refers to a"):
        snapshot_of(routes=[make_resource("routes", "r", ["a"])])


def with_secrets(*names: str, user: int = 1) -> Snapshot:
    """A cluster `a` that names these secrets."""
    return snapshot_of(
        clusters=[make_resource("clusters", "a", v=user, secrets=names)],
        secrets=[make_resource("secrets", name) for name in names],
    )


def test_secrets_are_answered_while_their_cluster_warms() -> None:
    """Before the acknowledgement of the clusters, which comes only after them; each in a response of its own."""
    stream = Stream(with_secrets("s", "t"))
    stream.ask("clusters")

    sent = stream.ask("secrets", "s", "t", "unknown")

    assert {"s", "t"} == {resource.name for one in sent for resource in one.resources}
    assert {1} == {len(one.resources) for one in sent}
    assert ["unknown"] == [name for one in sent for name in one.removed_resources]


def test_a_refused_secret_is_named_and_does_not_keep_others_out() -> None:
    """Its files are missing; everything else is taken, and nothing is sent again by itself."""
    stream, envoy = Stream(with_secrets("s", "t")), Envoy()
    envoy.no_files = {"s"}
    envoy.connect()
    settle(stream, envoy)

    assert {"t"} == set(envoy.loaded)
    assert ["s"] == list(stream.delta_stream.subscriptions["secrets"].nacked)
    assert (stream.delta_stream.subscriptions["secrets"].nack_message or "").startswith("s: ")
    assert envoy.warming == set()
    assert not stream.delta_stream.in_sync
    assert stream.take() == []


def test_a_refused_secret_is_tried_again_in_other_words() -> None:
    """Envoy does not look at the words that it knows, so an acknowledgement of them would mean nothing."""
    stream, envoy = Stream(with_secrets("s")), Envoy()
    envoy.no_files = {"s"}
    envoy.connect()
    settle(stream, envoy)

    assert stream.delta_stream.retry()
    settle(stream, envoy)
    assert not stream.delta_stream.in_sync

    envoy.no_files = set()
    assert stream.delta_stream.retry()
    settle(stream, envoy)
    assert {"s"} == set(envoy.loaded)
    assert stream.delta_stream.in_sync
    assert not stream.delta_stream.retry()


def test_a_reconnecting_proxy_does_not_pass_off_a_secret_that_it_failed_to_load() -> None:
    """A new stream knows nothing of the refusal on the old one, and finds it out."""
    stream, envoy = Stream(with_secrets("s")), Envoy()
    envoy.no_files = {"s"}
    envoy.connect()
    settle(stream, envoy)

    again = Stream(with_secrets("s"))
    envoy.connect()
    settle(again, envoy)

    assert ["s"] == list(again.delta_stream.subscriptions["secrets"].nacked)
    assert not again.delta_stream.in_sync


def test_a_secret_that_a_draining_listener_still_asks_for_holds_nothing_up() -> None:
    """Envoy keeps it while its old connections last: it is told that the secret is no more, and is in step."""
    stream, _ = in_step(with_secrets("s"))

    (clusters,) = stream.offer(snapshot_of(clusters=[make_resource("clusters", "a", v=2)]))
    (removal,) = stream.answer(clusters)
    assert [("Secret", [], ["s"])] == names([removal])
    stream.answer(removal)

    assert stream.delta_stream.in_sync


def test_a_proxy_without_its_secrets_is_not_listening() -> None:
    """Nobody should be sent to it; it is once it has loaded them."""
    needed = snapshot_of(
        clusters=[make_resource("clusters", "a")],
        listeners=[make_resource("listeners", "l", secrets=["s"])],
        secrets=[make_resource("secrets", "s")],
    )
    stream, envoy = Stream(needed), Envoy()
    envoy.no_files = {"s"}
    envoy.connect()
    settle(stream, envoy)
    assert not stream.delta_stream.listening

    envoy.no_files = set()
    stream.delta_stream.retry()
    settle(stream, envoy)
    assert stream.delta_stream.listening


def test_what_works_changes_to_other_secrets_only_when_they_are_loaded() -> None:
    """Envoy would take it without them; a cluster that nothing is sent to shows whether it can load them."""

    def using(name: str) -> Snapshot:
        return snapshot_of(
            clusters=[
                make_resource("clusters", "a", secrets=[name]),
                make_resource("clusters", "r", secrets=[name], warm_up=True),
            ],
            listeners=[make_resource("listeners", "l", secrets=[name])],
            secrets=[make_resource("secrets", name)],
        )

    stream, envoy = in_step(using("s"))
    envoy.no_files = {"t"}
    stream.delta_stream.offer(using("t"))
    settle(stream, envoy)
    assert ["s"] == envoy.has["clusters"]["a"]["secrets"] == envoy.has["listeners"]["l"]["secrets"]

    envoy.no_files = set()
    stream.delta_stream.retry()
    settle(stream, envoy)
    assert ["t"] == envoy.has["clusters"]["a"]["secrets"] == envoy.has["listeners"]["l"]["secrets"]
    assert stream.delta_stream.in_sync


def test_a_secret_whose_last_user_is_being_removed_counts_as_gone() -> None:
    """Envoy forgets it with that user, so a cluster that works changes to it only when it has been loaded again."""

    def using(*secrets: str) -> Snapshot:
        warm_up_clusters = [make_resource("clusters", f"of {name}", secrets=[name], warm_up=True) for name in secrets]
        return snapshot_of(
            clusters=[make_resource("clusters", "a", secrets=secrets), *warm_up_clusters],
            secrets=[make_resource("secrets", name) for name in secrets],
        )

    stream, envoy = in_step(using("s", "t"))
    under_way = _offered(stream, using("s"))
    assert "of t" in [name for data in under_way for name in DeltaDiscoveryResponse.FromString(data).removed_resources]
    for data in [*under_way, *_offered(stream, using("s", "t"))]:
        envoy.receive(data)
    settle(stream, envoy)

    assert envoy.problems == []
    assert {"s", "t"} == set(envoy.loaded)
    assert stream.delta_stream.in_sync


def test_a_proxy_whose_clusters_have_no_endpoints_to_ask_for_is_in_step() -> None:
    """Endpoints of a cluster that must not be connected to are there, and nobody asks for them."""
    stream = Stream(simple({"a": 1}))
    stream.answer(stream.ask("clusters")[0])
    stream.answer(stream.ask("listeners")[0])
    stream.answer(stream.ask("routes", "r")[0])

    assert stream.delta_stream.snapshot is not None
    assert stream.delta_stream.snapshot["endpoints"].resources
    assert stream.delta_stream.in_sync
