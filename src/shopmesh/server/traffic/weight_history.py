"""The weights that each route has had since the control plane started, within bounds: the store has only the last."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from shopmesh.appmesh.store import Key, View
from shopmesh.server.store.store import Commit
from shopmesh.server.traffic.splits import Row, RowTarget, route_row

MOST_OF_A_ROUTE = 60
MOST_ROUTES = 2000
"""Routes whose former weights are kept; above that, those of the route that changed longest ago are forgotten."""


class _Weights(NamedTuple):
    at: float
    weights: Mapping[str, int]


class WeightHistory:
    """Follows the commits of a store. Every replica sees all of them, so the answers of replicas are not combined."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._former: OrderedDict[Key, deque[_Weights]] = OrderedDict()

    def on_commit(self, commit: Commit) -> None:
        for change in commit.changes:
            if change.key.kind == "route" and change.after is not None:
                now = _weights(route_row(self._view, None, change.after).targets)
                known = self._former.setdefault(change.key, deque(maxlen=MOST_OF_A_ROUTE))
                if change.before is not None and not known:
                    before = _weights(route_row(self._view, None, change.before).targets)
                    known.append(_Weights(change.before.updated_at, before))
                if not known or known[-1].weights != now:
                    known.append(_Weights(change.after.updated_at, now))
                self._former.move_to_end(change.key)
        while len(self._former) > MOST_ROUTES:
            self._former.popitem(last=False)

    def since(self, rows: Iterable[Row], begin: float) -> list[dict[str, Any]]:
        """The weights of these routes that were valid at `begin` or later, oldest first; `route` None: no router."""
        found = []
        for row in rows:
            key = Key("route", (row.mesh, row.router or "", row.route or ""))
            known = [*self._former.get(key, ())] or [_Weights(row.changed_at, _weights(row.targets))]
            first = max((number for number, one in enumerate(known) if one.at <= begin), default=0)
            found += [{"at": one.at, "route": row.route, "weights": dict(one.weights)} for one in known[first:]]
        return sorted(found, key=lambda one: one["at"])


def _weights(targets: Iterable[RowTarget]) -> dict[str, int]:
    """By virtual node, with its port where a route names the node twice."""
    several = list(targets)
    nodes = [one.node for one in several]
    return {one.node if nodes.count(one.node) == 1 else f"{one.node}:{one.port}": one.weight for one in several}
