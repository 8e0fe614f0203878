"""The webinar, step by step, under a load that never stops.

    three services, v1 ─► load ─► product 2.0 beside 1.0, 50 % ─► customer 1.5 beside 1.0, 25 % ─► figures

Shares are counted from the moment the last Envoy has confirmed a change; errors and retries from before the first
request to after the last one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from shopmesh.client import ChangeDocument, Client, RouteSplit, SplitTarget, read_mesh
from shopmesh.documents import DeclaredResource
from shopmesh.load.engine.open_loop import OpenLoopEngine, steady
from shopmesh.load.engine.results import LoadResults
from shopmesh.load.judgement.significance import required_requests
from shopmesh.local.demo.verdict import CallErrors, VersionResult, WayInResult
from shopmesh.local.errors import StartError
from shopmesh.local.http import wait_until_ok
from shopmesh.local.mesh import operations
from shopmesh.local.mesh.from_manifests import Workload
from shopmesh.local.processes.ports import LOOPBACK

# Envoys report once a second: after this long, everything that happened before is in a report that has ended.
_REPORT_SECONDS = 1.5
# A report is on its way for a moment: what happens meanwhile is in the next one.
_REPORT_LAG_SECONDS = 0.5
# Requests that were routed before a change may still be answered after it.
_SETTLE_SECONDS = 0.3
_POLL_SECONDS = 0.25
_FIRST_ANSWER_SECONDS = 30.0
_MIN_REQUESTS = 1_000
_PROBING_RATE = 450.0
_PROBING_SECONDS = 1.0
_HIGHEST_RATE = 200.0
# With half of what it carries, a machine that also does other things would need more than a minute.
_RATE_MARGIN = 0.7
_LOWEST_RATE = 20.0


@dataclass(frozen=True, slots=True)
class Release:
    """One canary release: `percent` of the service's requests go to `canary`, the rest stays at `stable`."""

    stable: Workload
    canary: Workload
    percent: int

    @property
    def service(self) -> str:
        return self.canary.service


@dataclass(frozen=True, slots=True)
class MeshChange:
    """One change of the mesh, and how long it took until every Envoy that it concerns had confirmed it."""

    what: str
    milliseconds: float | None
    proxies: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    versions: Sequence[VersionResult]
    way_in: WayInResult
    call_errors: Sequence[CallErrors]
    changes: Sequence[MeshChange]
    seconds: float


class ProgressSink(Protocol):
    """Receives the progress of the scenario."""

    def finish_step(self, text: str) -> None:
        """Reports a finished step."""

    def start_step(self, text: str) -> None:
        """Reports a step that begins; the next call reports its result."""

    def show_shares(self, versions: Sequence[VersionResult], tally: LoadResults) -> None:
        """Reports the measured shares, several times per second."""


class DemoEnvironment(Protocol):
    """Where the scenario runs: a local mesh, or one that runs already."""

    @property
    def client(self) -> Client:
        """Asks the control plane; it blocks, so it is called in a thread."""

    @property
    def way_in(self) -> str:
        """The URL at which requests come in."""

    @property
    def setup_message(self) -> str:
        """What `set_up` does, as a phrase with a place for what is there from the start."""

    @property
    def canary_message(self) -> str:
        """What `start_canary` does, as a phrase with a place for the canary."""

    async def set_up(
        self, resources: Sequence[DeclaredResource], first: Sequence[Workload], canaries: Set[str]
    ) -> None:
        """Starts or resets the mesh, without its canaries."""

    async def start_canary(self, canary: Workload) -> None:
        """Starts a canary, or waits for it."""


class Scenario:
    """One run of the webinar."""

    def __init__(
        self,
        environment: DemoEnvironment,
        releases: Sequence[Release],
        rate: float | None,
        seconds: float,
        progress: ProgressSink,
    ) -> None:
        """Without a `rate`, it is found out what this machine carries easily.

        `seconds` is how long each stage lasts at least; it lasts longer when the statistics need more requests.
        """
        self._environment = environment
        self._releases = releases
        self._rate = rate
        self._seconds = seconds
        self._progress = progress
        self._mesh = releases[0].stable.mesh
        self._judged_since: dict[str, float] = {}
        self._measured_since = 0.0
        self._changes: list[MeshChange] = []

    async def run(self, resources: Sequence[DeclaredResource], workloads: Sequence[Workload]) -> DemoReport:
        """Runs the webinar. Raises StartError, ControlError or ClientError when the mesh cannot be used."""
        started = time.monotonic()
        canaries = {release.canary.node for release in self._releases}
        first = [workload for workload in workloads if workload.node not in canaries]
        await self._start(resources, first, canaries)
        rate = self._rate or await self._sustainable_rate()
        load = steady(self._environment.way_in, rate)
        await load.start()
        self._progress.finish_step(f"sending {rate:g} requests per second to {self._environment.way_in}")
        try:
            await self._show_shares_until(load, self._seconds or 2.0, 0)
            for position, release in enumerate(self._releases):
                await self._release_canary(release, resources)
                await self._show_shares_until(load, self._seconds, self._requests_needed(position))
        finally:
            tally = await load.stop()
        self._progress.start_step("waiting for the last statistics of the Envoys")
        await asyncio.sleep(_REPORT_SECONDS)
        versions = await self._measure_versions()
        way_in = WayInResult(load.due, tally.good, tally.failures, *tally.quantiles((0.5, 0.99)))
        return DemoReport(versions, way_in, await self._count_call_errors(), self._changes, time.monotonic() - started)

    @property
    def _client(self) -> Client:
        return self._environment.client

    async def _start(
        self, resources: Sequence[DeclaredResource], first: Sequence[Workload], canaries: Set[str]
    ) -> None:
        names = ", ".join(workload.service_version for workload in first)
        self._progress.start_step(self._environment.setup_message.format(names))
        started = time.monotonic()
        await self._environment.set_up(resources, first, canaries)
        way_in = urlsplit(self._environment.way_in)
        try:
            await wait_until_ok(way_in.port or 80, "/", _FIRST_ANSWER_SECONDS, way_in.hostname or LOOPBACK)
        except TimeoutError as error:
            raise StartError(f"{self._environment.way_in} does not answer: {error}") from None
        self._progress.finish_step(f"{names} run; first answer after {time.monotonic() - started:.1f} s")
        # boto3 takes a moment to load; while requests flow, that would be seen in their latency.
        await asyncio.gather(asyncio.to_thread(lambda: self._client.appmesh), self._wait_for_clean_reports())

    async def _wait_for_clean_reports(self) -> None:
        """Sets the moment from which call errors count.

        The last report that holds something of what was before began before this moment; the first one of the load
        begins after it.
        """
        await asyncio.sleep(_REPORT_LAG_SECONDS)
        self._measured_since = time.time()
        await asyncio.sleep(_REPORT_SECONDS)

    async def _sustainable_rate(self) -> float:
        """What the machine answers when it is asked for more than it can, less a margin; at most `_HIGHEST_RATE`."""
        self._progress.start_step("measuring how many requests this machine can answer")
        probe = steady(self._environment.way_in, _PROBING_RATE)
        await probe.start()
        # The first requests open connections everywhere; what counts is how it goes on.
        await asyncio.sleep(_PROBING_SECONDS)
        before = probe.results.good
        await asyncio.sleep(_PROBING_SECONDS)
        carried = (probe.results.good - before) / _PROBING_SECONDS
        await probe.stop()
        # What was asked of an overloaded machine says nothing about the mesh.
        await self._wait_for_clean_reports()
        return float(max(_LOWEST_RATE, min(_HIGHEST_RATE, _RATE_MARGIN * carried)) // 10 * 10)

    async def _count_call_errors(self) -> list[CallErrors]:
        """What every Envoy counted; the versions' own clusters are judged with them."""
        figures = await asyncio.to_thread(self._client.figures, self._mesh, since=self._measured_since)
        return [
            CallErrors(one["name"], one["cluster"], one["errors"], one["retries"])
            for one in figures
            if (one["errors"] or one["retries"]) and not one["cluster"].startswith("cds_egress_")
        ]

    async def _release_canary(self, release: Release, resources: Sequence[DeclaredResource]) -> None:
        canary = release.canary
        self._progress.start_step(self._environment.canary_message.format(canary.service_version))
        await self._environment.start_canary(canary)
        if not await asyncio.to_thread(self._node_exists, canary.node):
            spec: Any = next(
                resource.spec
                for resource in resources
                if resource.key.kind == "virtualNode" and resource.key.name == canary.node
            )
            answer: Any = await asyncio.to_thread(
                self._client.appmesh.create_virtual_node,
                meshName=self._mesh,
                virtualNodeName=canary.node,
                spec=spec,
            )
            await self._wait_converged(f"virtual node {canary.node} created", answer)
        await operations.wait_until_joined(self._client, canary)
        split = await self._find_split(release)
        answer = await asyncio.to_thread(self._shift_weights, release, split)
        change = await self._wait_converged(
            f"{release.percent} % of {release.service} to {canary.service_version}", answer
        )
        took = (change["milliseconds"] or 0.0) / 1000
        self._judged_since[release.service] = change["at"] + took + _SETTLE_SECONDS

    def _node_exists(self, node: str) -> bool:
        return any(resource.key.name == node for resource in read_mesh(self._client, self._mesh))

    def _shift_weights(self, release: Release, split: RouteSplit) -> Any:
        weights = {release.stable.node: 100 - release.percent, release.canary.node: release.percent}
        router, name = str(split["virtualRouter"]), str(split["route"])
        route = self._client.appmesh.describe_route(meshName=self._mesh, virtualRouterName=router, routeName=name)[
            "route"
        ]
        spec: Any = route["spec"]
        spec["httpRoute"]["action"]["weightedTargets"] = [
            {"virtualNode": node, "weight": weight} for node, weight in weights.items()
        ]
        return self._client.appmesh.update_route(
            meshName=self._mesh, virtualRouterName=router, routeName=name, spec=spec
        )

    async def _wait_converged(self, what: str, answer: Any) -> ChangeDocument:
        revision = int(answer["ResponseMetadata"]["HTTPHeaders"]["x-shopmesh-revision"])
        change = await asyncio.to_thread(self._client.wait_converged, revision)
        step = MeshChange(what, change["milliseconds"], len(change["proxies"]))
        self._changes.append(step)
        took = f"in sync after {step.milliseconds:.1f} ms" if step.milliseconds is not None else "not confirmed"
        self._progress.finish_step(f"{what} (Envoy {took})")
        return change

    def _requests_needed(self, position: int) -> int:
        """The requests after which a stage may end: product's go on counting while customer is judged."""
        own = required_requests(self._releases[position].percent / 100)
        later = [required_requests(release.percent / 100) for release in self._releases[position + 1 :]]
        return max(_MIN_REQUESTS, own - sum(later)) if later else own

    async def _show_shares_until(self, load: OpenLoopEngine, seconds: float, enough: int) -> None:
        """Shows the figures until the time is over and enough requests of every service were counted.

        Bounded: three times as long as it should take; the verdict then says that they were too few.
        """
        started = time.monotonic()
        limit = max(seconds, 3 * enough / load.plan.segments[0].first + 10)
        last = enough and not any(release.service not in self._judged_since for release in self._releases)
        while (elapsed := time.monotonic() - started) < limit:
            versions = await self._measure_versions()
            self._progress.show_shares(versions, load.results)
            totals = [version.total for version in versions if version.share < 1]
            short = [version for version in versions if version.total < version.required_requests]
            if elapsed >= seconds and not (short if last else min(totals, default=0) < enough):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _find_split(self, release: Release) -> RouteSplit:
        for split in (await asyncio.to_thread(self._client.splits, self._mesh))["splits"]:
            nodes = [target["virtualNode"] for target in split["targets"]]
            if split["route"] is not None and release.stable.node in nodes:
                return split
        raise StartError(f"no route of the mesh {self._mesh} leads to {release.stable.node}: mesh/ has been changed")

    async def _measure_versions(self) -> list[VersionResult]:
        """Every version that has a share, as it stands now."""
        whole = await self._targets_since(self._measured_since)
        found = []
        for release in self._releases:
            since = self._judged_since.get(release.service)
            judged = await self._targets_since(since) if since is not None else whole
            members = [(release.stable, 100 - release.percent), (release.canary, release.percent)]
            if since is None:
                members = [(release.stable, 100)]
            total = sum(judged[workload.node]["requests"] for workload, _ in members if workload.node in judged)
            for workload, percent in members:
                if workload.node in judged and workload.node in whole:
                    share, run = judged[workload.node], whole[workload.node]
                    found.append(
                        VersionResult(
                            release.service,
                            workload.service_version,
                            percent / 100,
                            share["requests"],
                            total,
                            run["errors"],
                            run["retries"],
                            share["p50"],
                            share["p99"],
                        )
                    )
        return found

    async def _targets_since(self, since: float) -> dict[str, SplitTarget]:
        splits = await asyncio.to_thread(self._client.splits, self._mesh, since=since)
        return {target["virtualNode"]: target for split in splits["splits"] for target in split["targets"]}
