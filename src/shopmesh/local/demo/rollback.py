"""The demo's second act: product 2.0 goes wrong, and is caught; first by nobody, then by a canary.

a plain switch to 50 %, until somebody notices ─► back ─► a canary of 5, 10, 25, 50 % ─► it turns back by itself
"""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.canary import plan as plans
from shopmesh.client.canary_loop import release
from shopmesh.documents import Declared
from shopmesh.load.engine.open_loop import steady
from shopmesh.local.demo.environments import OwnMachine
from shopmesh.local.demo.scenario import Screen, Stage
from shopmesh.local.http import until
from shopmesh.local.mesh.from_manifests import Workload
from shopmesh.local.mesh.local_mesh import Machine
from shopmesh.local.processes.ports import LOOPBACK
from shopmesh.output.console import PlainTable

FAULTS = {"errorShare": 0.2, "delayMs": 50}
NOTICED_SECONDS = 15.0
"""How long the plain switch lasts. Whoever watches a dashboard notices later than that."""
STEPS, EVERY, LEASE = (5, 10, 25, 50), 5.0, 15.0
_REACHED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Act:
    """How a bad version was released, and what that cost the users."""

    name: str
    seconds: float
    share: int
    requests: int
    lost: int


class Rollback:
    """One performance, on a machine of its own."""

    def __init__(self, machine: Machine, stage: Stage, rate: float, seconds: float, screen: Screen) -> None:
        """Of `stage` the versions are taken, not the share; `seconds` is how long the plain switch lasts."""
        self._seconds = seconds
        self._machine = machine
        self._stage = stage
        self._rate = rate
        self._screen = screen
        self._over = threading.Event()

    async def run(self, resources: Sequence[Declared], workloads: Sequence[Workload]) -> list[Act]:
        """Plays both. Raises StartError or ClientError when the mesh cannot be had."""
        self._screen.doing("starting the mesh, both versions of product with it")
        await OwnMachine(self._machine).open(resources, workloads, frozenset())
        await until(self._machine.settings.port, "/", _REACHED_SECONDS, LOOPBACK)
        canary = self._stage.canary
        await asyncio.to_thread(_fault, self._machine.pairs[canary.name].ports.control)
        share, delay = FAULTS["errorShare"], FAULTS["delayMs"]
        self._screen.step(f"{canary.promise} goes wrong: it fails {share:.0%} of its requests, each {delay:g} ms late")
        try:
            return [await self._switched(), await self._released()]
        finally:
            # The thread that looks after the canary must not outlive the mesh.
            self._over.set()

    async def _switched(self) -> Act:
        client, weights = self._machine.client, {self._stage.stable.node: 50, self._stage.canary.node: 50}
        self._screen.doing(f"50 % to it, for the {self._seconds:g} s until somebody notices")
        load = steady(self._machine.settings.way_in, self._rate)
        await load.start()
        try:
            before = await asyncio.to_thread(_weigh, client.appmesh, self._stage, weights)
            await asyncio.sleep(self._seconds)
            await asyncio.to_thread(_weigh, client.appmesh, self._stage, before)
        finally:
            tally = await load.stop()
        self._screen.step(f"switched back by hand: {tally.bad:,} of {tally.ended:,} requests lost")
        return Act("a plain switch to 50 %", self._seconds, 50, tally.ended, tally.bad)

    async def _released(self) -> Act:
        stage, client = self._stage, self._machine.client
        plan = plans.Plan(stage.canary.node, STEPS, EVERY, min_requests=20)
        route, owner = (stage.stable.mesh, f"{stage.service}-vr", f"{stage.service}-r"), str(uuid.uuid4())
        self._screen.doing("shopmesh canary: 5, 10, 25, 50 %")
        load = steady(self._machine.settings.way_in, self._rate)
        await load.start()
        try:
            document = plans.document(plan)
            await asyncio.to_thread(client.start_canary, route, stage.service, document, owner, LEASE)
            found = await asyncio.to_thread(release, client, route, owner, lambda found, verdict: None, self._wait)
        finally:
            tally = await load.stop()
        history = found["history"]
        what = "it turned back by itself" if found["phase"] == "returned" else f"it was {found['phase']}"
        self._screen.step(f"{what}: {found['reason']}")
        seconds = history[-1]["until"] - history[0]["since"]
        share = plan.stages[found["stage"]].weight if found["phase"] == "returned" else 100
        return Act("shopmesh canary", seconds, share, tally.ended, tally.bad)

    def _wait(self, seconds: float) -> bool:
        if self._over.wait(seconds):
            raise TimeoutError("the demo is over")
        return False


def show(console: Console, acts: Sequence[Act]) -> bool:
    """Prints what was lost; whether the canary was turned back, and cost less than the plain switch."""
    table = PlainTable(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("the bad version, released by")
    for heading in ("highest share", "seconds", "requests", "lost"):
        table.add_column(heading, justify="right")
    for act in acts:
        table.add_row(act.name, f"{act.share} %", f"{act.seconds:.1f}", f"{act.requests:,}", f"{act.lost:,}")
    console.print()
    console.print(table)
    console.print()
    plain, canary = acts
    passed = canary.share < 100 and canary.lost < plain.lost
    verdict = [("PASSED", "bold green")] if passed else [("FAILED", "bold red"), "  the canary did not cost less"]
    console.print(Text.assemble(*verdict))
    return passed


def _weigh(appmesh: Any, stage: Stage, weights: dict[str, int]) -> dict[str, int]:
    """Sets the weights of the service's route; those from before."""
    name = {"meshName": stage.stable.mesh}
    name |= {"virtualRouterName": f"{stage.service}-vr", "routeName": f"{stage.service}-r"}
    spec = copy.deepcopy(appmesh.describe_route(**name)["route"]["spec"])
    targets = weighted_targets(spec)
    before = {target["virtualNode"]: target["weight"] for target in targets}
    for target in targets:
        target["weight"] = weights.get(target["virtualNode"], 0)
    appmesh.update_route(**name, spec=spec)
    return before


def _fault(port: int) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("PUT", "/faults", json.dumps(FAULTS), {"Content-Type": "application/json"})
        if (status := connection.getresponse().status) != 200:
            raise OSError(f"the faults of {LOOPBACK}:{port} were answered {status}")
    finally:
        connection.close()
