"""`shopmesh demo`: runs a scenario in an environment, and prints the verdict."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from shopmesh import defaults
from shopmesh.client import Client
from shopmesh.documents import DeclaredResource
from shopmesh.local.demo import report as report_view
from shopmesh.local.demo import rollback
from shopmesh.local.demo.environments import ExistingEnvironment, LocalEnvironment
from shopmesh.local.demo.progress_view import ProgressView
from shopmesh.local.demo.scenario import DemoReport, Release, Scenario
from shopmesh.local.demo.verdict import find_failures
from shopmesh.local.errors import StartError
from shopmesh.local.mesh.from_manifests import (
    WEBINARS_WAY_IN,
    Workload,
    application_module,
    read_manifests,
    workloads_of,
)
from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.processes.ports import Ports
from shopmesh.local.processes.shutdown import run_until_stopped, stop_on_signals
from shopmesh.local.processes.terminal import Terminal
from shopmesh.local.run_dir import RunFolder
from shopmesh.local.settings import resolve_settings

T = TypeVar("T")

CANARY_SHARES = (("product", 50), ("customer", 25))
"""The canary releases of the webinar's slides: which service, and the share of its newer version."""
_ROLLBACK_RATE = 100.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of `shopmesh demo`; port 0 means a free one, times are seconds.

    Without `rate` it is measured what this machine can answer.
    """

    project: Path
    run_folder: Path
    environment: Mapping[str, str] = field(repr=False)
    port: int = defaults.WAY_IN_PORT
    api_port: int = 0
    rate: float | None = None
    seconds: float = 0.0


async def run_demo(options: DemoOptions, console: Console) -> bool:
    """Runs the demo; returns whether it passed. Raises LocalError or ClientError when it cannot run."""
    resources, workloads, releases = _read_mesh(options)

    def scenario(mesh: LocalMesh, progress: ProgressView) -> Coroutine[None, None, DemoReport]:
        return Scenario(LocalEnvironment(mesh), releases, options.rate, options.seconds, progress).run(
            resources, workloads
        )

    report = await _run_locally(options, console, scenario)
    return report is not None and _print_verdict(console, report)


async def run_rollback_demo(options: DemoOptions, console: Console) -> bool:
    """Releases a bad version by hand and as a canary; returns whether the canary lost fewer requests."""
    resources, workloads, releases = _read_mesh(options)

    def scenario(mesh: LocalMesh, progress: ProgressView) -> Coroutine[None, None, list[rollback.ReleaseOutcome]]:
        rate, seconds = options.rate or _ROLLBACK_RATE, options.seconds or rollback.DETECTION_SECONDS
        rollback_scenario = rollback.RollbackScenario(mesh, releases[0], rate, seconds, progress)
        return rollback_scenario.run(resources, workloads)

    outcomes = await _run_locally(options, console, scenario)
    return outcomes is not None and rollback.print_outcomes(console, outcomes)


def _read_mesh(options: DemoOptions) -> tuple[list[DeclaredResource], list[Workload], list[Release]]:
    resources = read_manifests(options.project / "mesh")
    workloads = workloads_of(resources)
    for workload in workloads:
        application_module(workload, options.project)
    return resources, workloads, releases_of(workloads)


async def _run_locally(
    options: DemoOptions, console: Console, scenario: Callable[[LocalMesh, ProgressView], Coroutine[None, None, T]]
) -> T | None:
    """The result of the scenario; None when a signal ended it. Nothing is left running."""
    folder = RunFolder.open(options.run_folder)
    try:
        folder.end_leftover_processes()
        folder.delete_store()
        ports = Ports()
        settings = resolve_settings(
            ports, options.project, folder.path, options.environment, options.port, options.api_port
        )
        with ProgressView(console) as progress:
            log = _DemoLog(folder.log, progress)
            mesh = LocalMesh(settings, ports, log, folder.record_groups, WEBINARS_WAY_IN)
            with stop_on_signals(mesh, log) as stop:
                try:
                    return await run_until_stopped(scenario(mesh, progress), stop)
                finally:
                    progress.start_step("stopping everything")
                    await mesh.close()
                    log.close()
    finally:
        folder.close()


async def run_demo_in(
    client: Client, way_in: str, project: Path, rate: float | None, seconds: float, console: Console
) -> bool:
    """As `run_demo`, in a mesh that runs already; its routes keep the final weights."""
    resources = read_manifests(project / "mesh")
    workloads = workloads_of(resources)
    with ProgressView(console) as progress:
        scenario = Scenario(ExistingEnvironment(client, way_in), releases_of(workloads), rate, seconds, progress)
        report = await scenario.run(resources, workloads)
    return _print_verdict(console, report)


def releases_of(workloads: Sequence[Workload]) -> list[Release]:
    """The two releases, with the versions in the manifests. Raises StartError when one is missing."""
    releases = []
    for service, percent in CANARY_SHARES:
        versions = [workload for workload in workloads if workload.service == service]
        if len(versions) < 2:
            raise StartError(f"mesh/{service}.yaml has {len(versions)} versions of {service}: the demo needs two")
        releases.append(Release(versions[0], versions[-1], percent))
    return releases


def _print_verdict(console: Console, report: DemoReport) -> bool:
    found = find_failures(report.versions, report.way_in, report.call_errors)
    report_view.print_report(console, report, found)
    return not found


class _DemoLog(Terminal):
    """Writes lines of programs only to the file; shows messages among the steps."""

    def __init__(self, file: Path, progress: ProgressView) -> None:
        super().__init__(None, file)
        self._progress = progress

    def _show(self, text: str) -> None:
        self._progress.warn(text)
