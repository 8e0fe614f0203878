"""What changed between two states of all collections. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shopmesh.console.live.collections import Collection, Collections, collections_text, to_text

_EMPTY: Collection = {}


@dataclass(frozen=True, slots=True)
class Delta:
    """Documents that are new or different, and the ids of those that are gone, by collection."""

    set: Collections = field(default_factory=dict)
    delete: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.set or self.delete)

    def to_text(self) -> str:
        """The members `set` and `delete` of a JSON object."""
        return f'"set":{collections_text(self.set)},"delete":{to_text(self.delete)}'


def delta(before: Collections, after: Collections) -> Delta:
    """What turns one into the other; a collection that is the same object costs nothing."""
    changed: dict[str, Collection] = {}
    gone: dict[str, list[str]] = {}
    for name, documents in after.items():
        former = before.get(name, _EMPTY)
        if former is documents:
            continue
        if different := {one: text for one, text in documents.items() if former.get(one) != text}:
            changed[name] = different
        if left := [one for one in former if one not in documents]:
            gone[name] = left
    return Delta(changed, gone)


def limit_changes(before: Collection, after: Collection, most: int) -> Collection:
    """`after` with at most `most` documents that differ; those that changed last are at the end, and wait longest.

    A new document does not wait, since others may refer to it.
    """
    if before is after:
        return before
    same, changed, left = {}, {}, most
    for one, text in before.items():
        if (new := after.get(one)) is None:
            continue
        if new == text or left == 0:
            same[one] = text
        else:
            changed[one] = new
            left -= 1
    return {**same, **changed, **{one: text for one, text in after.items() if one not in before}}
