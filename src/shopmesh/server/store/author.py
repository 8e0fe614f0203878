"""Who made a change, and through which door: what the list of changes says, not what anybody may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Door = Literal["api", "console", "kubernetes", "canary", "proxy", "start"]
"""The API; the console; an object that another client of the cluster wrote; the control plane's own supervision of
canaries; an instance that came or went; the first mesh of a cluster."""
DOORS: tuple[Door, ...] = get_args(Door)
MOST_NAMES = 3
"""Authors of one commit that are named."""
LONGEST_NAME = 128
"""Characters of a name that are kept; it is as long as a field manager of Kubernetes may be."""


@dataclass(frozen=True, slots=True)
class Author:
    """`name` is an access key or, for objects of a cluster, a field manager. None: nobody in particular, or unknown."""

    name: str | None = None
    door: Door | None = None

    def to_document(self) -> dict[str, Any]:
        """Its JSON, which is a part of that of a change."""
        return {"author": self.name, "door": self.door}


UNKNOWN = Author()


def parse_author(name: object, door: object) -> Author:
    """Reads the two fields of `Author.to_document`; what is not valid there is unknown, so that nothing depends on it.

    That includes the doors of a later version.
    """
    known: Door | None = next((one for one in DOORS if one == door), None)
    return Author(name[:LONGEST_NAME] if isinstance(name, str) else None, known)


def joint_author(authors: Iterable[Author]) -> Author:
    """The author of a commit that several clients wrote: their names, and their door if all came through the same."""
    found = list(dict.fromkeys(authors))
    if len(found) == 1:
        return found[0]
    names = sorted({one.name for one in found if one.name is not None})
    more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    doors = {one.door for one in found}
    return Author(", ".join([*names[:MOST_NAMES], *more]) or None, doors.pop() if len(doors) == 1 else None)
