"""The clusters that a proxy may report statistics of: those of its snapshot, and for a minute those removed from it.

`initial_resource_versions` and acknowledgements are claims of the proxy, so they are not used.
"""

from __future__ import annotations

import asyncio

from shopmesh.xds.names import stat_name
from shopmesh.xds.resources import Collection

LATE_SECONDS = 60.0
"""Seconds for which a removed cluster is still counted: a proxy removes it last, and reports later."""
MOST_LATE = 10_000


class SentClusters:
    """The names in Envoy's statistics of the clusters that the proxies with one snapshot were sent."""

    def __init__(self) -> None:
        self.known = asyncio.Event()
        """Set by the first `update`."""
        self._collection: Collection | None = None
        self._read: Collection | None = None
        self._names: dict[str, str] = {}
        self._late: dict[str, float] = {}
        """Removed clusters, and until when they are counted."""

    def update(self, collection: Collection | None) -> None:
        """Sets the present clusters; None when their node does not exist any more."""
        self._collection = collection
        self.known.set()

    def find(self, name: str, now: float) -> str | None:
        """The name, as one object for all reports, if it is counted; else None."""
        if self._read is not self._collection:
            self._refresh(now)
        if (known := self._names.get(name)) is not None:
            return known
        return name if self._late.get(name, 0.0) > now else None

    def _refresh(self, now: float) -> None:
        """Called for reports only: a cluster that existed only between two reports has no statistics."""
        before, self._read = self._names, self._collection
        sent = map(stat_name, self._read.versions) if self._read is not None else ()
        self._names = {name: name for name in sent}
        late = {name: until for name, until in self._late.items() if until > now}
        late |= dict.fromkeys(before, now + LATE_SECONDS)
        gone = [(name, until) for name, until in late.items() if name not in self._names]
        self._late = dict(gone[-MOST_LATE:])
