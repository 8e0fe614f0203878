"""`shopmesh demo`: a stage, the play on it, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from shopmesh.client import Client
from shopmesh.documents import Declared
from shopmesh.local.demo import report as table
from shopmesh.local.demo import rollback
from shopmesh.local.demo.environments import OwnMachine, RunningMesh
from shopmesh.local.demo.progress_view import Watched
from shopmesh.local.demo.scenario import Play, Report, Stage
from shopmesh.local.demo.verdict import complaints
from shopmesh.local.errors import StartError
from shopmesh.local.mesh.from_manifests import Workload, module_of, promised, read
from shopmesh.local.mesh.local_mesh import Machine
from shopmesh.local.processes.ports import Ports
from shopmesh.local.processes.shutdown import stopping, until_stopped
from shopmesh.local.processes.terminal import Terminal
from shopmesh.local.run_dir import RunFolder
from shopmesh.local.settings import resolved

T = TypeVar("T")

SHARES = (("product", 50), ("customer", 25))
"""The canary releases of the webinar's slides: which service, and the share of its newer version."""
_ROLLBACK_RATE = 100.0


@dataclass(frozen=True, slots=True)
class Options:
    """What `shopmesh demo` was asked for; a port of 0 is any free one, times are seconds.

    Without a `rate` it is what this machine carries easily.
    """

    project: Path
    run_folder: Path
    environment: Mapping[str, str] = field(repr=False)
    port: int = 8080
    api_port: int = 0
    rate: float | None = None
    seconds: float = 0.0


async def demo(options: Options, console: Console) -> bool:
    """Plays and judges; whether all promises were kept. Raises StartError and the like when it cannot be played."""
    resources, workloads, stages = _read(options)

    def play(machine: Machine, screen: Watched) -> Coroutine[None, None, Report]:
        return Play(OwnMachine(machine), stages, options.rate, options.seconds, screen).run(resources, workloads)

    report = await _on_own_machine(options, console, play)
    return report is not None and _judged(console, report)


async def demo_rollback(options: Options, console: Console) -> bool:
    """The second act: a version that goes wrong is turned back, and costs less than a plain switch."""
    resources, workloads, stages = _read(options)

    def play(machine: Machine, screen: Watched) -> Coroutine[None, None, list[rollback.Act]]:
        rate, seconds = options.rate or _ROLLBACK_RATE, options.seconds or rollback.NOTICED_SECONDS
        act = rollback.Rollback(machine, stages[0], rate, seconds, screen)
        return act.run(resources, workloads)

    acts = await _on_own_machine(options, console, play)
    return acts is not None and rollback.show(console, acts)


def _read(options: Options) -> tuple[list[Declared], list[Workload], list[Stage]]:
    resources = read(options.project / "mesh")
    workloads = promised(resources)
    for workload in workloads:
        module_of(workload, options.project)
    return resources, workloads, stages_of(workloads)


async def _on_own_machine(
    options: Options, console: Console, play: Callable[[Machine, Watched], Coroutine[None, None, T]]
) -> T | None:
    """What the play came to; None when a signal ended it. Nothing is left running."""
    folder = RunFolder.open(options.run_folder)
    try:
        folder.clean()
        folder.forget_store()
        ports = Ports()
        settings = resolved(ports, options.project, folder.path, options.environment, options.port, options.api_port)
        with Watched(console) as screen:
            log = _Log(folder.log, screen)
            machine = Machine(settings, ports, log, folder.record)
            with stopping(machine, log) as stop:
                try:
                    return await until_stopped(play(machine, screen), stop)
                finally:
                    screen.doing("stopping everything")
                    await machine.close()
                    log.close()
    finally:
        folder.close()


async def demo_in(
    client: Client, way_in: str, project: Path, rate: float | None, seconds: float, console: Console
) -> bool:
    """As `demo`, in a mesh that runs already; its routes stay as the play leaves them."""
    resources = read(project / "mesh")
    workloads = promised(resources)
    with Watched(console) as screen:
        play = Play(RunningMesh(client, way_in), stages_of(workloads), rate, seconds, screen)
        report = await play.run(resources, workloads)
    return _judged(console, report)


def stages_of(workloads: Sequence[Workload]) -> list[Stage]:
    """The two releases, with the versions that the manifests promise. Raises StartError when one is not there."""
    stages = []
    for service, percent in SHARES:
        versions = [workload for workload in workloads if workload.service == service]
        if len(versions) < 2:
            raise StartError(f"mesh/{service}.yaml promises {len(versions)} versions of {service}: the demo needs two")
        stages.append(Stage(versions[0], versions[-1], percent))
    return stages


def _judged(console: Console, report: Report) -> bool:
    found = complaints(report.versions, report.way_in, report.losses)
    table.show(console, report, found)
    return not found


class _Log(Terminal):
    """The programs' lines go to the file alone; remarks are shown among the steps."""

    def __init__(self, file: Path, screen: Watched) -> None:
        super().__init__(None, file)
        self._screen = screen

    def say(self, text: str) -> None:
        super().say(text)
        self._screen.say(text)
