"""The last answers of one proxy to what it was sent: ACKs, and NACKs with Envoy's text.

It is kept while the proxy's stream is open, and takes 4 kB a proxy where Envoy refuses nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from shopmesh.xds.stream.delta_stream import Answer

MOST_ANSWERS = 20
LONGEST_MESSAGE = 1000
"""Characters of a NACK's text that are kept for each answer; the last one is in the proxy's status at length."""


class LoggedAnswer(NamedTuple):
    """`at` in seconds since 1970; `version` is that of the collection; without a `message` it is an ACK."""

    at: float
    type: str
    version: str
    message: str | None
    milliseconds: float

    def to_document(self) -> dict[str, Any]:
        """Its JSON for clients."""
        return {
            "at": self.at,
            "type": self.type,
            "version": self.version,
            "ack": self.message is None,
            "message": self.message,
            "milliseconds": self.milliseconds,
        }


class AnswerLog:
    """The last answers of a proxy. To add an ACK must cost next to nothing: every proxy sends one for every change."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: deque[tuple[float, Answer]] = deque(maxlen=MOST_ANSWERS)

    def add(self, answer: Answer, now: float) -> None:
        """Adds an answer that arrives `now`, by the clock by which its response was sent."""
        if answer.nack is not None:
            answer = answer._replace(nack=self._reuse_text(answer.nack[:LONGEST_MESSAGE]))
        self._answers.append((now, answer))

    def newest_first(self) -> list[LoggedAnswer]:
        return [
            LoggedAnswer(at, one.kind, one.version, one.nack, round((at - one.sent_at) * 1000, 3))
            for at, one in reversed(self._answers)
        ]

    def _reuse_text(self, message: str) -> str:
        """An equal text of an earlier answer: a proxy that refuses something often refuses it again and again."""
        return next((one.nack for _, one in self._answers if one.nack == message), None) or message
