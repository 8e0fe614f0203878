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

from shopmesh.client import Change, Client, Split, Target, read_mesh
from shopmesh.documents import Declared
from shopmesh.load.engine.open_loop import Engine, steady
from shopmesh.load.engine.results import Tally
from shopmesh.load.judgement.significance import needed
from shopmesh.local.demo.verdict import Loss, Version, WayIn
from shopmesh.local.errors import StartError
from shopmesh.local.http import until
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
_FLOW_SECONDS = 30.0
_LEAST_OF_A_STAGE = 1_000
_PROBING_RATE = 450.0
_PROBING_SECONDS = 1.0
_HIGHEST_RATE = 200.0
# With half of what it carries, a machine that also does other things would need more than a minute.
_EASY = 0.7
_LOWEST_RATE = 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One canary release: `percent` of the service's requests go to `canary`, the rest stays at `stable`."""

    stable: Workload
    canary: Workload
    percent: int

    @property
    def service(self) -> str:
        return self.canary.service


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the mesh, and how long it took until every Envoy that it concerns had confirmed it."""

    what: str
    milliseconds: float | None
    proxies: int


@dataclass(frozen=True, slots=True)
class Report:
    versions: Sequence[Version]
    way_in: WayIn
    losses: Sequence[Loss]
    steps: Sequence[Step]
    seconds: float


class Screen(Protocol):
    """Where the play is watched."""

    def step(self, text: str) -> None:
        """Something has been done."""

    def doing(self, text: str) -> None:
        """Something is being done; the next call says what came of it."""

    def figures(self, versions: Sequence[Version], tally: Tally) -> None:
        """How it stands, several times a second."""


class House(Protocol):
    """Where it is played: a machine of its own, or a mesh that runs already."""

    @property
    def client(self) -> Client:
        """Asks the control plane; it blocks, so it is called in a thread."""

    @property
    def way_in(self) -> str:
        """The URL at which requests come in."""

    @property
    def opening(self) -> str:
        """What `open` does, as a phrase with a place for what is there from the start."""

    @property
    def entering(self) -> str:
        """What `enter` does, as a phrase with a place for the canary."""

    async def open(self, resources: Sequence[Declared], first: Sequence[Workload], canaries: Set[str]) -> None:
        """Has the mesh without its canaries, and the first workloads."""

    async def enter(self, canary: Workload) -> None:
        """Has a canary run."""


class Play:
    """One performance."""

    def __init__(
        self, house: House, stages: Sequence[Stage], rate: float | None, seconds: float, screen: Screen
    ) -> None:
        """Without a `rate`, it is found out what this machine carries easily.

        `seconds` is how long each stage lasts at least; it lasts longer when the statistics need more requests.
        """
        self._house = house
        self._stages = stages
        self._rate = rate
        self._seconds = seconds
        self._screen = screen
        self._mesh = stages[0].stable.mesh
        self._judged_since: dict[str, float] = {}
        self._quiet_since = 0.0
        self._steps: list[Step] = []

    async def run(self, resources: Sequence[Declared], workloads: Sequence[Workload]) -> Report:
        """Plays all of it. Raises StartError, ControlError or ClientError when the mesh cannot be had."""
        began = time.monotonic()
        canaries = {stage.canary.node for stage in self._stages}
        first = [workload for workload in workloads if workload.node not in canaries]
        await self._start(resources, first, canaries)
        rate = self._rate or await self._easy_rate()
        load = steady(self._house.way_in, rate)
        await load.start()
        self._screen.step(f"{rate:g} requests a second come in from now on, at {self._house.way_in}")
        try:
            await self._watch(load, self._seconds or 2.0, 0)
            for position, stage in enumerate(self._stages):
                await self._release(stage, resources)
                await self._watch(load, self._seconds, self._enough(position))
        finally:
            tally = await load.stop()
        self._screen.doing("waiting for the last figures of the Envoys")
        await asyncio.sleep(_REPORT_SECONDS)
        versions = await self._versions()
        way_in = WayIn(load.due, tally.good, tally.failures, *tally.quantiles((0.5, 0.99)))
        return Report(versions, way_in, await self._losses(), self._steps, time.monotonic() - began)

    @property
    def _client(self) -> Client:
        return self._house.client

    async def _start(self, resources: Sequence[Declared], first: Sequence[Workload], canaries: Set[str]) -> None:
        names = ", ".join(workload.promise for workload in first)
        self._screen.doing(self._house.opening.format(names))
        began = time.monotonic()
        await self._house.open(resources, first, canaries)
        way_in = urlsplit(self._house.way_in)
        try:
            await until(way_in.port or 80, "/", _FLOW_SECONDS, way_in.hostname or LOOPBACK)
        except TimeoutError as error:
            raise StartError(f"{self._house.way_in} does not answer: {error}") from None
        self._screen.step(f"{names} run; first answer after {time.monotonic() - began:.1f} s")
        # boto3 takes a moment to load; while requests flow, that would be seen in their latency.
        await asyncio.gather(asyncio.to_thread(lambda: self._client.appmesh), self._rest())

    async def _rest(self) -> None:
        """Sets the moment from which losses count.

        The last report that holds something of what was before began before this moment; the first one of the load
        begins after it.
        """
        await asyncio.sleep(_REPORT_LAG_SECONDS)
        self._quiet_since = time.time()
        await asyncio.sleep(_REPORT_SECONDS)

    async def _easy_rate(self) -> float:
        """What the machine answers when it is asked for more than it can, less a margin; at most `_HIGHEST_RATE`."""
        self._screen.doing("finding out how many requests this machine carries easily")
        probe = steady(self._house.way_in, _PROBING_RATE)
        await probe.start()
        # The first requests open connections everywhere; what counts is how it goes on.
        await asyncio.sleep(_PROBING_SECONDS)
        before = probe.tally.good
        await asyncio.sleep(_PROBING_SECONDS)
        carried = (probe.tally.good - before) / _PROBING_SECONDS
        await probe.stop()
        # What was asked of an overloaded machine says nothing about the mesh.
        await self._rest()
        return float(max(_LOWEST_RATE, min(_HIGHEST_RATE, _EASY * carried)) // 10 * 10)

    async def _losses(self) -> list[Loss]:
        """What every Envoy counted; the versions' own clusters are judged with them."""
        figures = await asyncio.to_thread(self._client.figures, self._mesh, since=self._quiet_since)
        return [
            Loss(one["name"], one["cluster"], one["errors"], one["retries"])
            for one in figures
            if (one["errors"] or one["retries"]) and not one["cluster"].startswith("cds_egress_")
        ]

    async def _release(self, stage: Stage, resources: Sequence[Declared]) -> None:
        canary = stage.canary
        self._screen.doing(self._house.entering.format(canary.promise))
        await self._house.enter(canary)
        if not await asyncio.to_thread(self._is_there, canary.node):
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
            await self._converged(f"virtual node {canary.node} created", answer)
        await operations.joined(self._client, canary)
        split = await self._split(stage)
        answer = await asyncio.to_thread(self._shift, stage, split)
        change = await self._converged(f"{stage.percent} % of {stage.service} to {canary.promise}", answer)
        took = (change["milliseconds"] or 0.0) / 1000
        self._judged_since[stage.service] = change["at"] + took + _SETTLE_SECONDS

    def _is_there(self, node: str) -> bool:
        return any(resource.key.name == node for resource in read_mesh(self._client, self._mesh))

    def _shift(self, stage: Stage, split: Split) -> Any:
        weights = {stage.stable.node: 100 - stage.percent, stage.canary.node: stage.percent}
        route = self._client.appmesh.describe_route(
            meshName=self._mesh, virtualRouterName=split["virtualRouter"], routeName=split["route"]
        )["route"]
        spec: Any = route["spec"]
        spec["httpRoute"]["action"]["weightedTargets"] = [
            {"virtualNode": node, "weight": weight} for node, weight in weights.items()
        ]
        return self._client.appmesh.update_route(
            meshName=self._mesh, virtualRouterName=split["virtualRouter"], routeName=split["route"], spec=spec
        )

    async def _converged(self, what: str, answer: Any) -> Change:
        revision = int(answer["ResponseMetadata"]["HTTPHeaders"]["x-shopmesh-revision"])
        change = await asyncio.to_thread(self._client.wait_converged, revision)
        step = Step(what, change["milliseconds"], len(change["proxies"]))
        self._steps.append(step)
        took = f"in step after {step.milliseconds:.1f} ms" if step.milliseconds is not None else "not confirmed"
        self._screen.step(f"{what} (Envoy {took})")
        return change

    def _enough(self, position: int) -> int:
        """The requests after which a stage may end: product's go on counting while customer is judged."""
        own = needed(self._stages[position].percent / 100)
        later = [needed(stage.percent / 100) for stage in self._stages[position + 1 :]]
        return max(_LEAST_OF_A_STAGE, own - sum(later)) if later else own

    async def _watch(self, load: Engine, seconds: float, enough: int) -> None:
        """Shows the figures until the time is over and enough requests of every service were counted.

        Bounded: three times as long as it should take; the verdict then says that they were too few.
        """
        began = time.monotonic()
        limit = max(seconds, 3 * enough / load.plan.segments[0].first + 10)
        last = enough and not any(stage.service not in self._judged_since for stage in self._stages)
        while (elapsed := time.monotonic() - began) < limit:
            versions = await self._versions()
            self._screen.figures(versions, load.tally)
            totals = [version.total for version in versions if version.share < 1]
            short = [version for version in versions if version.total < version.needed]
            if elapsed >= seconds and not (short if last else min(totals, default=0) < enough):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _split(self, stage: Stage) -> Split:
        for split in (await asyncio.to_thread(self._client.splits, self._mesh))["splits"]:
            if any(target["virtualNode"] == stage.stable.node for target in split["targets"]):
                return split
        raise StartError(f"no route of the mesh {self._mesh} leads to {stage.stable.node}: mesh/ has been changed")

    async def _versions(self) -> list[Version]:
        """Every version that has a share, as it stands now."""
        whole = await self._targets(self._quiet_since)
        found = []
        for stage in self._stages:
            since = self._judged_since.get(stage.service)
            judged = await self._targets(since) if since is not None else whole
            members = [(stage.stable, 100 - stage.percent), (stage.canary, stage.percent)]
            if since is None:
                members = [(stage.stable, 100)]
            total = sum(judged[workload.node]["requests"] for workload, _ in members if workload.node in judged)
            for workload, percent in members:
                if workload.node in judged and workload.node in whole:
                    share, run = judged[workload.node], whole[workload.node]
                    found.append(
                        Version(
                            stage.service,
                            workload.promise,
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

    async def _targets(self, since: float) -> dict[str, Target]:
        splits = await asyncio.to_thread(self._client.splits, self._mesh, since=since)
        return {target["virtualNode"]: target for split in splits["splits"] for target in split["targets"]}
