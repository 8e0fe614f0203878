"""The responses to requests with a `clientToken`: the newest ones, bounded in number and bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shopmesh.appmesh.store import IdempotencyRecord

MOST_TOKENS = 4096
# A token keeps its response, which may be as large as a body; this bounds all of them together.
MOST_BYTES = 8 * 1024 * 1024


class ClientTokens:
    """Bounds the tokens of a `State`, which it changes in place."""

    def __init__(self, known: dict[str, IdempotencyRecord]) -> None:
        self._known = known
        self._bytes = _size(known.values())

    def to_forget(self, new: Mapping[str, IdempotencyRecord]) -> list[str]:
        """The oldest tokens, as many as must be removed so that the new ones fit within the bounds."""
        forgotten: list[str] = []
        count, size = len(self._known) + len(new), self._bytes + _size(new.values())
        if count <= MOST_TOKENS and size <= MOST_BYTES:
            return forgotten
        for token, answered in {**self._known, **new}.items():
            if count <= MOST_TOKENS and size <= MOST_BYTES:
                break
            forgotten.append(token)
            count, size = count - 1, size - _size([answered])
        return forgotten

    def remember(self, new: Mapping[str, IdempotencyRecord], forgotten: Iterable[str] | None = None) -> None:
        """Adds new tokens and removes those that are `forgotten`, by default as many as necessary."""
        dropped = self.to_forget(new) if forgotten is None else forgotten
        self._known.update(new)
        self._bytes += _size(new.values())
        for token in dropped:
            self._bytes -= _size([self._known.pop(token)])


def _size(answers: Iterable[IdempotencyRecord]) -> int:
    return sum(len(answered.request) + len(answered.answer) for answered in answers)
