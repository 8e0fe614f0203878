"""Incremental computation: the cost of a change follows what it changes.

    store keys ◄─reads─ computation ◄─uses─ computation ◄─uses─ root (a snapshot)

A *computation* is a pure function with its arguments. It reads the store and other computations through a
`TrackingView`, which records what was read. A change of a store key makes exactly the computations stale that read it.
Those that use a stale one are checked when their value is needed, and computed again only if a value that they use has
changed. A value that is equal to the former one is dropped in favour of the former object, so that users see by
identity that nothing changed.

Long work is done in parts: `compute_part` stops before a computation when its time is over, and keeps those that it has
completed. What was interrupted starts again with the next part, and finds them. The parts of one root must see one
state, so the view must not change between them.
"""

from __future__ import annotations

from collections import deque
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
    """A read of all resources of one kind below one parent: it depends on each of them."""

    kind: str
    parent: tuple[str, ...]


class ComputationId(NamedTuple):
    build: Callable[..., Any]
    arguments: tuple[Hashable, ...]


class _Freshness(Enum):
    CLEAN = "current"
    MAYBE = "uses a computation that is stale"
    STALE = "what it read has changed"


@dataclass(slots=True)
class _FailedResult:
    error: Exception


class _TimeIsOver(BaseException):
    """Leaves the computations that are not complete; no `except Exception` of theirs may keep it."""


@dataclass(slots=True, eq=False)
class _Computation:
    """Links go by its identity: arguments may be thousands of names, whose hash takes as long each time."""

    id: ComputationId
    value: object
    reads: set[Key | Listing]
    uses: dict[ComputationId, object]
    users: set[_Computation] = field(default_factory=set)
    state: _Freshness = _Freshness.CLEAN


class TrackingView:
    """A `View` that records what one computation reads of the store and of other computations."""

    __slots__ = ("_computation", "_graph", "reads", "uses")

    def __init__(self, graph: DependencyGraph, computation: _Computation) -> None:
        self._graph = graph
        self._computation = computation
        self.reads: set[Key | Listing] = set()
        self.uses: dict[ComputationId, object] = {}

    @property
    def host_policy(self) -> HostPolicy:
        """What documents may make Envoy do on its host; it never changes, so it is not recorded."""
        return self._graph.host_policy

    def get(self, key: Key) -> Resource | None:
        self.reads.add(key)
        return self._graph.view.get(key)

    def children(self, kind: str, parent: tuple[str, ...]) -> list[Resource]:
        self.reads.add(Listing(kind, parent))
        return self._graph.view.children(kind, parent)

    def compute(self, build: Callable[Concatenate[TrackingView, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns `build(view, *args)`, computed now or earlier."""
        used = ComputationId(build, args)
        try:
            raw = self.uses[used] = self._graph.value_for(self._computation, used)
        except _TimeIsOver:
            self.uses[used] = None
            raise
        value: T = _value_or_raise(raw)
        return value


class DependencyGraph:
    """The values of all computations, and which of them depend on what."""

    def __init__(self, view: View, host_policy: HostPolicy = STRICT) -> None:
        self.view = view
        self.host_policy = host_policy
        self._computations: dict[ComputationId, _Computation] = {}
        self._dependents: dict[Key | Listing, set[_Computation]] = {}
        self._root_ids: set[ComputationId] = set()
        self._unused: set[ComputationId] = set()
        self._is_over: Callable[[], bool] | None = None
        self._interrupted: list[ComputationId] = []
        """The computations that the last part has left, each before those that use it."""
        self._advanced = False
        """Whether this part has completed a computation."""

    def __len__(self) -> int:
        return len(self._computations)

    def compute_root(self, build: Callable[Concatenate[TrackingView, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns `build(view, *args)` and keeps it up to date, with all that it uses, until `release`."""
        computation_id = ComputationId(build, args)
        self._root_ids.add(computation_id)
        value: T = _value_or_raise(self._up_to_date(computation_id).value)
        return value

    def compute_part(
        self,
        is_over: Callable[[], bool],
        build: Callable[Concatenate[TrackingView, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> bool:
        """Goes on with a root, at least by one computation, until `is_over`; returns whether it is complete.

        It is one for `compute_root` from the first part on.
        """
        root = ComputationId(build, args)
        self._root_ids.add(root)
        self._is_over, self._advanced = is_over, False
        left = deque(dict.fromkeys((*self._interrupted, root)))
        self._interrupted = []
        try:
            while left:
                # The innermost first: what uses it starts again once, when it is complete.
                computation_id = left.popleft()
                if computation_id == root or computation_id in self._computations:
                    self._up_to_date(computation_id)
        except _TimeIsOver:
            self._interrupted += left
            return False
        finally:
            self._is_over = None
        return True

    def release(self, build: Callable[..., Any], *arguments: Hashable) -> None:
        """Forgets a root, and the computations that nothing else uses."""
        computation_id = ComputationId(build, arguments)
        self._root_ids.discard(computation_id)
        self._unused.add(computation_id)
        self.collect_unused()

    def mark_changed(self, keys: Iterable[Key]) -> list[ComputationId]:
        """Marks what read these store keys as stale; returns the roots whose value they may change.

        Among them are roots that an earlier change has marked already.
        """
        suspects: list[_Computation] = []
        for key in keys:
            for read in (key, Listing(key.kind, key.parent)):
                for computation in self._dependents.get(read, ()):
                    suspects.append(computation)
                    computation.state = _Freshness.STALE
        seen: dict[_Computation, None] = {}
        while suspects:
            computation = suspects.pop()
            if computation in seen:
                continue
            seen[computation] = None
            if computation.state is _Freshness.CLEAN:
                computation.state = _Freshness.MAYBE
            suspects.extend(computation.users)
        return [one.id for one in seen if one.id in self._root_ids]

    def collect_unused(self) -> None:
        """Forgets the computations that nothing uses any more; call it after a round of changes."""
        while self._unused:
            computation_id = self._unused.pop()
            computation = self._computations.get(computation_id)
            if computation is not None and not computation.users and computation_id not in self._root_ids:
                del self._computations[computation_id]
                self._detach(computation)

    def value_for(self, user: _Computation, computation_id: ComputationId) -> object:
        """Returns the value of a computation for one that uses it; it may be a `_FailedResult`."""
        # First, so that an interrupted computation is kept for the one that will need it.
        self._find(computation_id).users.add(user)
        return self._up_to_date(computation_id).value

    def _find(self, computation_id: ComputationId) -> _Computation:
        computation = self._computations.get(computation_id)
        if computation is None:
            computation = self._computations[computation_id] = _Computation(
                computation_id, None, set(), {}, state=_Freshness.STALE
            )
        return computation

    def _up_to_date(self, computation_id: ComputationId) -> _Computation:
        computation = self._find(computation_id)
        if computation.state is not _Freshness.CLEAN:
            try:
                self._refresh(computation)
            except _TimeIsOver:
                self._interrupted.append(computation_id)
                raise
        return computation

    def _refresh(self, computation: _Computation) -> None:
        if computation.state is _Freshness.MAYBE:
            same = all(self._up_to_date(used).value is seen for used, seen in computation.uses.items())
            computation.state = _Freshness.CLEAN if same else _Freshness.STALE
        if computation.state is _Freshness.STALE:
            if self._advanced and self._is_over is not None and self._is_over():
                raise _TimeIsOver
            self._build(computation)
            self._advanced = True

    def _build(self, computation: _Computation) -> None:
        self._detach(computation)
        view = TrackingView(self, computation)
        computation.reads, computation.uses = view.reads, view.uses
        value: object
        try:
            value = computation.id.build(view, *computation.id.arguments)
        except Exception as error:
            # A failure is a value as well: only a change of what was read can change it.
            value = _FailedResult(error)
        finally:
            for key in view.reads:
                self._dependents.setdefault(key, set()).add(computation)
        if value != computation.value:
            computation.value = value
        computation.state = _Freshness.CLEAN

    def _detach(self, computation: _Computation) -> None:
        for key in computation.reads:
            dependents = self._dependents[key]
            dependents.discard(computation)
            if not dependents:
                del self._dependents[key]
        for used in computation.uses:
            other = self._computations.get(used)
            if other is not None:
                other.users.discard(computation)
                if not other.users:
                    self._unused.add(used)


def _value_or_raise(value: object) -> Any:
    if isinstance(value, _FailedResult):
        raise value.error
    return value
