"""What a stream sends: the whole state once, then what changed, in few bytes."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from shopmesh.console.live import history as module
from shopmesh.console.live.collections import NAMES, join_id, round_short, to_text
from shopmesh.console.live.delta import delta, limit_changes
from shopmesh.console.live.encoding import GzipEncoder, LiveEvent
from shopmesh.console.live.history import MOST_DELTAS, QUIET_SECONDS, History, LiveState


def state(at: float = 0.0, revision: int = 1, **collections: dict[str, str]) -> LiveState:
    return LiveState(at, revision, {"asked": 1, "answered": 1}, {name: collections.get(name, {}) for name in NAMES})


def event(sent: LiveEvent) -> tuple[str, Any]:
    """The name and the data of an event as bytes."""
    name, data = sent.plain.decode().removesuffix("\n\n").split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def applied(collections: dict[str, dict[str, Any]], data: Any) -> dict[str, dict[str, Any]]:
    """What a client knows after a delta."""
    found = {name: {**documents, **data["set"].get(name, {})} for name, documents in collections.items()}
    for name, gone in data["delete"].items():
        for one in gone:
            del found[name][one]
    return found


def test_an_id_is_split_at_slashes_whatever_names_it_is_made_of() -> None:
    """As JavaScript's encodeURIComponent does it, for the browser makes the same ids."""
    assert "shop%2Fmesh/%C3%A4%20b/it's(1)*!~" == join_id("shop/mesh", "ä b", "it's(1)*!~")


def test_numbers_are_short() -> None:
    """A whole one has no point, an unknown one stays unknown."""
    assert ["3", "0.333", "null"] == [to_text(round_short(value, 3)) for value in (3.0, 1 / 3, None)]


def test_a_delta_turns_one_state_into_the_other() -> None:
    """By what is new or different, and the ids that are gone."""
    before = {"nodes": {"a": "1", "b": "2", "c": "3"}, "routes": {"r": "1"}}
    after = {"nodes": {"a": "1", "b": "4", "d": "5"}, "routes": before["routes"]}

    found = delta(before, after)

    assert ({"nodes": {"b": "4", "d": "5"}}, {"nodes": ["c"]}) == (found.set, found.delete)
    assert not delta(after, after)


def test_a_new_reader_gets_the_whole_state_and_then_deltas() -> None:
    """One that joins later knows the same."""
    history = History()
    history.publish(state(1.0, nodes={"a": "1", "b": "2"}))
    (name, first) = event(history.events_after(0)[0])
    history.publish(state(2.0, nodes={"a": "3"}))
    history.publish(state(3.0, nodes={"a": "3", "c": "4"}))
    deltas = [event(one) for one in history.events_after(1)]
    (_, joined) = event(history.events_after(0)[0])

    assert "state" == name
    assert ["delta", "delta"] == [name for name, _ in deltas]
    known = applied(applied(first["collections"], deltas[0][1]), deltas[1][1])
    assert joined["collections"] == known
    assert {"a": 3, "c": 4} == known["nodes"]


def test_a_reader_that_is_behind_gets_all_deltas_it_has_missed_or_the_whole_state() -> None:
    """Nothing is queued for it."""
    history = History()
    for second in range(1 + MOST_DELTAS + 1):
        history.publish(state(float(second), nodes={"a": str(second)}))
    kept = history.events_after(history.number - MOST_DELTAS)
    [whole] = history.events_after(history.number - MOST_DELTAS - 1)

    assert MOST_DELTAS == len(kept)
    assert "state" == event(whole)[0]


def test_when_nothing_changes_nothing_is_sent_for_a_while() -> None:
    """Then an empty delta says that the stream works."""
    history = History()
    history.publish(state(100.0, nodes={"a": "1"}))

    assert not history.publish(state(101.0, nodes={"a": "1"}))
    assert history.publish(state(100.0 + QUIET_SECONDS, nodes={"a": "1"}))
    [quiet] = history.events_after(1)
    assert ({}, {}) == (event(quiet)[1]["set"], event(quiet)[1]["delete"])


def test_a_revision_without_a_change_of_documents_is_sent() -> None:
    history = History()
    history.publish(state(100.0, revision=1))

    assert history.publish(state(101.0, revision=2))


def test_of_too_many_changes_all_get_their_turn() -> None:
    """Those that changed longest ago come first; what is new or gone does not wait."""
    sent: dict[str, str] = dict.fromkeys("abcde", "0")
    for second, expected in enumerate(("ab", "cd", "ea", "bc"), start=1):
        after = dict.fromkeys("abcde", str(second))
        sent, before = dict(limit_changes(sent, after, 2)), sent
        assert expected == "".join(one for one in sent if sent[one] != before[one])

    assert {"a": "1", "f": "2"} == limit_changes({"a": "0", "b": "0"}, {"a": "1", "f": "2"}, 1)


def test_a_delta_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that have to wait are sent with the next ones."""
    monkeypatch.setattr(module, "MOST_CHANGED", {"flows": 2})
    history = History()
    history.publish(state(1.0, flows=dict.fromkeys("abc", "1")))
    history.publish(state(2.0, flows=dict.fromkeys("abc", "2")))
    history.publish(state(3.0, flows=dict.fromkeys("abc", "2")))
    first, second = (event(one)[1]["set"]["flows"] for one in history.events_after(1))

    assert ({"a", "b"}, {"c"}) == (first.keys(), second.keys())


def test_streams_share_compressed_events_and_each_is_a_valid_file() -> None:
    """One that joins later has left out the first of them."""
    events = [LiveEvent(f"event: delta\ndata: {number}\n\n".encode()) for number in range(3)]
    for joined in (events, events[1:], []):
        stream = GzipEncoder()
        sent = b"".join([*map(stream.add, joined), stream.end()])

        assert b"".join(one.plain for one in joined) == gzip.decompress(sent)


def test_each_event_can_be_read_when_it_arrives() -> None:
    """The end of a compressed event is not held back until the next one."""

    stream, reader = GzipEncoder(), zlib.decompressobj(wbits=31)
    for number in range(3):
        plain = f"event: delta\ndata: {number}\n\n".encode()

        assert plain == reader.decompress(stream.add(LiveEvent(plain)))
