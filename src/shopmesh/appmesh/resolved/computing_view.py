"""A view of a mesh that remembers what is computed from it, so that several readers share one result."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from shopmesh.appmesh.store import View

P = ParamSpec("P")
T = TypeVar("T")


class ComputingView(View, Protocol):
    """`xds.incremental` has one that follows changes; `UnchangingView` is for documents that stay as they are."""

    def compute(self, build: Callable[Concatenate[ComputingView, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns `build(view, *args)`, computed now or earlier."""


class UnchangingView:
    """Computes everything once."""

    def __init__(self, view: View) -> None:
        self.get = view.get
        self.children = view.children
        self._values: dict[Hashable, Any] = {}

    def compute(self, build: Callable[Concatenate[ComputingView, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        computation = (build, args)
        if computation not in self._values:
            self._values[computation] = build(self, *args, **kwargs)
        value: T = self._values[computation]
        return value
