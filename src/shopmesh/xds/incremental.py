"""Translation whose cost follows what changed.

    store keys ◄─reads─ part ◄─uses─ part ◄─uses─ root (a snapshot)

A *part* is a pure function with its arguments, built by reading a `View` and other parts through a `Reader`, which
notes what was read. A change of a store key makes exactly the parts stale that read it; those that use them are looked
at again when they are asked for, and built again only if something that they use came out different. A part that comes
out equal to what it was keeps its old object, so that whoever holds it sees by identity that nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Key, Resource, View

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """The reading of all resources of one kind below one parent: any of them changing matters."""

    kind: str
    parent: tuple[str, ...]


class PartId(NamedTuple):
    build: Callable[..., Any]
    arguments: tuple[Hashable, ...]


class _State(Enum):
    CLEAN = "as the store has it"
    MAYBE = "something below it is stale"
    STALE = "what it read has changed"


@dataclass(slots=True)
class _Failed:
    error: Exception


@dataclass(slots=True)
class _Part:
    value: object
    reads: set[Key | Listing]
    uses: dict[PartId, object]
    users: set[PartId] = field(default_factory=set)
    state: _State = _State.CLEAN


class Reader:
    """A `View` that notes what one part reads of the store and of other parts."""

    __slots__ = ("_identity", "_parts", "reads", "uses")

    def __init__(self, parts: Parts, identity: PartId) -> None:
        self._parts = parts
        self._identity = identity
        self.reads: set[Key | Listing] = set()
        self.uses: dict[PartId, object] = {}

    @property
    def host_policy(self) -> HostPolicy:
        """What documents may make Envoy do on its host; it never changes, so nothing depends on it."""
        return self._parts.host_policy

    def get(self, key: Key) -> Resource | None:
        self.reads.add(key)
        return self._parts.view.get(key)

    def children(self, kind: str, parent: tuple[str, ...]) -> list[Resource]:
        self.reads.add(Listing(kind, parent))
        return self._parts.view.children(kind, parent)

    def part(self, build: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `build` makes of these arguments, built now or before."""
        used = PartId(build, args)
        raw = self.uses[used] = self._parts.used_by(self._identity, used)
        value: T = _unless_failed(raw)
        return value


class Parts:
    """The memo of all parts, and which of them read what."""

    def __init__(self, view: View, host_policy: HostPolicy = STRICT) -> None:
        self.view = view
        self.host_policy = host_policy
        self._built: dict[PartId, _Part] = {}
        self._readers: dict[Key | Listing, set[PartId]] = {}
        self._roots: set[PartId] = set()
        self._unused: set[PartId] = set()

    def __len__(self) -> int:
        return len(self._built)

    def root(self, build: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `Reader.part`, and kept, with all that it uses, until `release`."""
        identity = PartId(build, args)
        self._roots.add(identity)
        value: T = _unless_failed(self._current(identity).value)
        return value

    def release(self, build: Callable[..., Any], *arguments: Hashable) -> None:
        """Forgets a root, and the parts that nothing else uses."""
        identity = PartId(build, arguments)
        self._roots.discard(identity)
        self._unused.add(identity)
        self.collect()

    def changed(self, keys: Iterable[Key]) -> list[PartId]:
        """Notes that these store keys have changed; the roots that may come out different now."""
        suspects: list[PartId] = []
        for key in keys:
            for read in (key, Listing(key.kind, key.parent)):
                for identity in self._readers.get(read, ()):
                    part = self._built[identity]
                    suspects.append(identity)
                    suspects.extend(part.users)
                    part.state = _State.STALE
        roots: dict[PartId, None] = {}
        while suspects:
            identity = suspects.pop()
            part = self._built[identity]
            if identity in self._roots:
                roots[identity] = None
            if part.state is _State.CLEAN:
                part.state = _State.MAYBE
                suspects.extend(part.users)
        return list(roots)

    def collect(self) -> None:
        """Forgets the parts that nothing uses any more; to be called after a round of changes."""
        while self._unused:
            identity = self._unused.pop()
            part = self._built.get(identity)
            if part is not None and not part.users and identity not in self._roots:
                del self._built[identity]
                self._detach(identity, part)

    def used_by(self, user: PartId, identity: PartId) -> object:
        """The value of a part for another, which may be that its building failed."""
        part = self._current(identity)
        part.users.add(user)
        return part.value

    def _current(self, identity: PartId) -> _Part:
        part = self._built.get(identity)
        if part is None:
            part = self._built[identity] = _Part(None, set(), {}, state=_State.STALE)
        if part.state is _State.MAYBE:
            same = all(self._current(used).value is seen for used, seen in part.uses.items())
            part.state = _State.CLEAN if same else _State.STALE
        if part.state is _State.STALE:
            self._build(identity, part)
        return part

    def _build(self, identity: PartId, part: _Part) -> None:
        self._detach(identity, part)
        reader = Reader(self, identity)
        value: object
        try:
            value = identity.build(reader, *identity.arguments)
        except Exception as error:
            # Kept, with what it read: only a change of that can make it come out otherwise.
            value = _Failed(error)
        if value != part.value:
            part.value = value
        part.reads, part.uses, part.state = reader.reads, reader.uses, _State.CLEAN
        for key in reader.reads:
            self._readers.setdefault(key, set()).add(identity)

    def _detach(self, identity: PartId, part: _Part) -> None:
        for key in part.reads:
            readers = self._readers[key]
            readers.discard(identity)
            if not readers:
                del self._readers[key]
        for used in part.uses:
            other = self._built.get(used)
            if other is not None:
                other.users.discard(identity)
                if not other.users:
                    self._unused.add(used)


def _unless_failed(value: object) -> Any:
    if isinstance(value, _Failed):
        raise value.error
    return value
