"""The demo of a rollback: a bad product 2.0 is released by hand, then as a canary, and the losses are compared.

a switch to 50 %, until someone would notice ─► back ─► a canary of 5, 10, 25, 50 % ─► it rolls back by itself
"""

from __future__ import annotations

import asyncio
import copy
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.canary import plan as plans
from shopmesh.client import canary_loop
from shopmesh.documents import DeclaredResource
from shopmesh.load.engine.open_loop import steady
from shopmesh.local.demo.environments import LocalEnvironment
from shopmesh.local.demo.scenario import ProgressSink, Release
from shopmesh.local.http import send_request, wait_until_ok
from shopmesh.local.mesh.from_manifests import Workload
from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.processes.ports import LOOPBACK
from shopmesh.output.console import PlainTable

FAULTS = {"errorShare": 0.2, "delayMs": 50}
DETECTION_SECONDS = 15.0
"""Duration of the plain switch; people who watch a dashboard take longer to notice."""
STEPS, EVERY, LEASE = (5, 10, 25, 50), 5.0, 15.0
_FIRST_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """How a bad version was released, and how many requests were lost."""

    name: str
    seconds: float
    share: int
    requests: int
    lost: int


class RollbackScenario:
    """Runs both releases in a local mesh."""

    def __init__(self, mesh: LocalMesh, release: Release, rate: float, seconds: float, progress: ProgressSink) -> None:
        """Of `stage` the versions are taken, not the share; `seconds` is how long the plain switch lasts."""
        self._seconds = seconds
        self._mesh = mesh
        self._release = release
        self._rate = rate
        self._progress = progress
        self._finished = threading.Event()

    async def run(self, resources: Sequence[DeclaredResource], workloads: Sequence[Workload]) -> list[ReleaseOutcome]:
        """Runs both. Raises StartError or ClientError when the mesh does not start."""
        self._progress.start_step("starting the mesh, both versions of product with it")
        await LocalEnvironment(self._mesh).set_up(resources, workloads, frozenset())
        await wait_until_ok(self._mesh.settings.port, "/", _FIRST_ANSWER_SECONDS, LOOPBACK)
        canary = self._release.canary
        await _inject_faults(self._mesh.workloads[canary.name].control_socket)
        share, delay = FAULTS["errorShare"], FAULTS["delayMs"]
        self._progress.finish_step(
            f"{canary.service_version} is bad: it fails {share:.0%} of its requests and delays all by {delay:g} ms"
        )
        try:
            return [await self._switch_by_hand(), await self._release_canary()]
        finally:
            # The thread that renews the canary's lease must not outlive the mesh.
            self._finished.set()

    async def _switch_by_hand(self) -> ReleaseOutcome:
        client, weights = self._mesh.client, {self._release.stable.node: 50, self._release.canary.node: 50}
        self._progress.start_step(f"50 % to it, for the {self._seconds:g} s until it would be noticed")
        load = steady(self._mesh.settings.way_in, self._rate)
        await load.start()
        try:
            before = await asyncio.to_thread(_set_weights, client.appmesh, self._release, weights)
            await asyncio.sleep(self._seconds)
            await asyncio.to_thread(_set_weights, client.appmesh, self._release, before)
        finally:
            tally = await load.stop()
        self._progress.finish_step(f"switched back by hand: {tally.bad:,} of {tally.ended:,} requests lost")
        return ReleaseOutcome("a plain switch to 50 %", self._seconds, 50, tally.ended, tally.bad)

    async def _release_canary(self) -> ReleaseOutcome:
        release, client = self._release, self._mesh.client
        plan = plans.CanaryPlan(release.canary.node, STEPS, EVERY, min_requests=20)
        route, owner = (release.stable.mesh, f"{release.service}-vr", f"{release.service}-r"), str(uuid.uuid4())
        self._progress.start_step("shopmesh canary: 5, 10, 25, 50 %")
        load = steady(self._mesh.settings.way_in, self._rate)
        await load.start()
        try:
            document = plans.to_document(plan)
            await asyncio.to_thread(client.start_canary, route, release.service, document, owner, LEASE)
            found = await asyncio.to_thread(
                canary_loop.run_canary, client, route, owner, lambda found, verdict: None, self._wait
            )
        finally:
            tally = await load.stop()
        history = found["history"]
        what = "it was rolled back automatically" if found["phase"] == "rolled_back" else f"it was {found['phase']}"
        self._progress.finish_step(f"{what}: {found['reason']}")
        seconds = history[-1]["until"] - history[0]["since"]
        share = plan.stages[found["stage"]].weight if found["phase"] == "rolled_back" else 100
        return ReleaseOutcome("shopmesh canary", seconds, share, tally.ended, tally.bad)

    def _wait(self, seconds: float) -> bool:
        if self._finished.wait(seconds):
            raise TimeoutError("the demo is over")
        return False


def print_outcomes(console: Console, outcomes: Sequence[ReleaseOutcome]) -> bool:
    """Prints the losses; returns whether the canary was rolled back and lost less than the plain switch."""
    table = PlainTable(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("the bad version, released by")
    for heading in ("highest share", "seconds", "requests", "lost"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        table.add_row(
            outcome.name, f"{outcome.share} %", f"{outcome.seconds:.1f}", f"{outcome.requests:,}", f"{outcome.lost:,}"
        )
    console.print()
    console.print(table)
    console.print()
    plain, canary = outcomes
    passed = canary.share < 100 and canary.lost < plain.lost
    console.print(Text("PASSED", style="bold green") if passed else Text("FAILED", style="bold red"))
    console.print(describe_outcome(plain, canary))
    return passed


def describe_outcome(plain: ReleaseOutcome, canary: ReleaseOutcome) -> str:
    """What the comparison shows, in a sentence or two."""
    if canary.share >= 100:
        return "The canary was promoted, although its version fails requests."
    if canary.lost >= plain.lost:
        return f"The canary lost {canary.lost:,} requests, the plain switch {plain.lost:,}: it should have lost fewer."
    return (
        f"The bad version was noticed and rolled back at {canary.share} %, without anybody looking: "
        f"{canary.lost:,} requests were lost instead of {plain.lost:,}."
    )


def _set_weights(appmesh: Any, release: Release, weights: dict[str, int]) -> dict[str, int]:
    """Sets the weights of the service's route; returns the previous ones."""
    name = {"meshName": release.stable.mesh}
    name |= {"virtualRouterName": f"{release.service}-vr", "routeName": f"{release.service}-r"}
    spec = copy.deepcopy(appmesh.describe_route(**name)["route"]["spec"])
    targets = weighted_targets(spec)
    before = {target["virtualNode"]: target["weight"] for target in targets}
    for target in targets:
        target["weight"] = weights.get(target["virtualNode"], 0)
    appmesh.update_route(**name, spec=spec)
    return before


async def _inject_faults(control_socket: Path) -> None:
    response = await send_request(control_socket, "/faults", "PUT", 5.0, json_body=json.dumps(FAULTS).encode())
    if response.status != 200:
        raise OSError(f"{control_socket} answered the request for faults with {response.status}")
