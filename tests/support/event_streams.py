"""A client of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

LIVE = "/shopmesh/v1/live"


class Event(NamedTuple):
    name: str
    data: Any


class EventStream:
    """One open stream; `take` waits for its next event."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer

    def take(self) -> Event | None:
        """The next event; None when the stream has ended."""
        name, data = "message", ""
        for line in iter(self.answer.readline, b""):
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data += value
            elif not field and data:
                return Event(name, json.loads(data))
        return None

    def take_until(self, *names: str) -> Event:
        """The next event of one of these names; raises AssertionError when the stream ends before."""
        while (found := self.take()) is not None:
            if found.name in names:
                return found
        raise AssertionError(f"the stream ended without an event {' or '.join(names)}")


@contextlib.contextmanager
def event_stream(
    port: int, path: str = LIVE, headers: Mapping[str, str] | None = None, seconds: float = 15
) -> Iterator[EventStream]:
    """A stream of events of a control plane; a wait of more than `seconds` fails."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Accept": "text/event-stream", **(headers or {})})
        yield EventStream(connection.getresponse())
    finally:
        connection.close()
