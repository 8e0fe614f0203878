"""Polls the control plane for the weights, so that a change during a load is noticed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from shopmesh.client import ChangeDocument, Client, ClientError, read_mesh
from shopmesh.documents.service_version import service_version
from shopmesh.load.judgement.weights import RoutedShares, RouteWeights, Shares, WeightSetting, shares_by_version

_POLL_SECONDS = 0.25
_MAX_SETTINGS = 500


@dataclass(frozen=True, slots=True)
class _ShareChange:
    """Shares that hold since these revisions; any of several revisions in one poll may have set them."""

    revisions: Sequence[int]
    shares: Shares


class WeightWatcher:
    """Records the weights of one mesh during a `with` block; read `settings` and `notes` after it.

    `nodes` gives the versions of virtual nodes whose manifests do not, `fixed` the shares that the user expects.
    Entering the block raises ClientError.
    """

    def __init__(self, client: Client, mesh: str, nodes: Mapping[str, str], fixed: Shares) -> None:
        self.notes: list[str] = []
        self._client = client
        self._mesh = mesh
        self._nodes = nodes
        self._fixed = fixed
        self._initial: Shares = fixed
        self._share_changes: list[_ShareChange] = []
        self._changes: dict[int, ChangeDocument] = {}
        self._last_revision = 0
        self._converged_revision = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weights", daemon=True)

    def __enter__(self) -> WeightWatcher:
        self._last_revision = self._converged_revision = self._client.changes(2**31)["revision"]
        self._initial = self._read()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        if kind is None:
            self._poll()

    def settings(self, began: float) -> list[WeightSetting]:
        """All weight settings, their times in seconds since `began` (seconds since 1970, the control plane's clock)."""
        found = [WeightSetting(-1.0, -1.0, self._initial)]
        for news in self._share_changes:
            changes = [self._changes[revision] for revision in news.revisions]
            done = [change["at"] + (change["milliseconds"] or 0.0) / 1000 for change in changes if change["converged"]]
            found.append(
                WeightSetting(
                    at=min(change["at"] for change in changes) - began,
                    settled=max(done) - began if len(done) == len(changes) else None,
                    shares=news.shares,
                    what=", ".join(dict.fromkeys(name for change in changes for name in change["resources"])),
                    proxies=max(len(change["proxies"]) for change in changes),
                )
            )
        return found

    def _run(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            self._poll()

    def _poll(self) -> None:
        try:
            self._update()
        except ClientError as error:
            # The mesh works without its control plane, so the load continues.
            self._note(f"some weights are unknown: {error}")

    def _update(self) -> None:
        answer = self._client.changes(self._converged_revision)
        self._changes.update({change["revision"]: change for change in answer["changes"]})
        news = [change["revision"] for change in answer["changes"] if change["revision"] > self._last_revision]
        if news:
            shares = self._read()
            if shares != (self._share_changes[-1].shares if self._share_changes else self._initial):
                if len(self._share_changes) < _MAX_SETTINGS:
                    self._share_changes.append(_ShareChange(news, shares))
                else:
                    self._note(f"more than {_MAX_SETTINGS} changes: later ones are not recorded")
            self._last_revision = max(news)
        # Revisions that are not acknowledged yet are requested again.
        pending = [change["revision"] for change in answer["changes"] if not change["converged"]]
        self._converged_revision = min(pending, default=self._last_revision + 1) - 1
        needed = {revision for one in self._share_changes for revision in one.revisions}
        self._changes = {revision: self._changes[revision] for revision in needed}

    def _read(self) -> Shares:
        found: RoutedShares = shares_by_version(self._routes(), {**_versions(self._client, self._mesh), **self._nodes})
        for note in found.notes:
            self._note(note)
        return {**found.shares, **self._fixed}

    def _routes(self) -> list[RouteWeights]:
        return [
            RouteWeights(
                split["virtualService"], {target["virtualNode"]: target["weight"] for target in split["targets"]}
            )
            for split in self._client.splits(self._mesh)["splits"]
            if split["route"] is not None
        ]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _versions(client: Client, mesh: str) -> dict[str, str]:
    """The version of every virtual node whose manifest has it in the labels of its pod selector."""
    versions = {one.key.name: service_version(one) for one in read_mesh(client, mesh) if one.key.kind == "virtualNode"}
    return {node: str(version) for node, version in versions.items() if version.service and version.version}
