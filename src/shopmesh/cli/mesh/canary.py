"""`shopmesh canary`: releases a version step by step, and rolls it back when it fails."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Key
from shopmesh.cli.callers import ADVICE, NO_CALLER, uncalled_service
from shopmesh.cli.output import echo_document
from shopmesh.cli.parameters import DurationType
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.client import Client
    from shopmesh.client.types import CanaryStatus
    from shopmesh.documents import DeclaredResource

EXIT_NOT_PROMOTED = 3
MAX_PLAN_BYTES = 1 << 20
"""Bytes; a plan has ten lines."""
_ACTIONS = {"abort": "roll back", "promote": "advance", "pause": "pause"}


@click.command(
    epilog="""\b
Examples:
  shopmesh canary product --to product-v2-vn    or --to v2
  shopmesh canary product --to product-v2-vn --steps 1,10,50 --max-p99 300ms
  shopmesh canary product --to product-v2-vn --match header:x-canary=1
  shopmesh canary product --plan canary.yaml --manual
  shopmesh canary product            show its progress
  shopmesh canary product --pause    from another terminal

Each step is judged by what the callers' Envoys count: the canary's share of the errors compared with its share of the
requests, and its own error rate and p99 compared with the limits. With --match or --mirror, stages for matching
requests and for mirrored requests come before the first step.

While this command runs, it renews a lease. If it is killed, the lease expires and the control plane rolls back by
itself; --resume then repeats the stage. Ctrl-C rolls back at once. With --detach the control plane judges the canary
itself, and no command needs to run.

\b
Exit status:
  0  promoted
  1  failure
  2  invalid command line
  3  rolled back, or stopped by another change of the route
"""
)
@click.argument("service")
@click.option("--to", metavar="NODE", help="Virtual node of the new version; starts a release.")
@click.option(
    "--plan",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file with these options; options override it.",
)
@click.option("--steps", metavar="LIST", help="Weights before 100, in percent.  [default: 5,10,25,50]")
@click.option("--every", metavar="TIME", help="Minimum duration of a step.  [default: 30s]")
@click.option("--max-error-rate", metavar="SHARE", help="Roll back above this rate of 5xx answers.  [default: 1%]")
@click.option("--max-p99", metavar="TIME", help="Roll back when p99 exceeds this latency, such as 300ms.")
@click.option("--match", metavar="header:NAME=VALUE", help="Start with only the requests that have this header.")
@click.option("--mirror", metavar="SHARE", help="Before the steps, mirror this share; answers are discarded.")
@click.option("--manual", is_flag=True, default=None, help="Wait for Enter or --promote after each step.")
@click.option("--patience", metavar="TIME", help="Longest wait for enough requests.  [default: 10 x --every]")
@click.option("--min-requests", type=click.IntRange(1), help="Minimum requests in a step.  [default: 100]")
@click.option(
    "--lease", type=DurationType(), default="15s", show_default=True, help="Time until an unrenewed lease expires."
)
@click.option("--detach", is_flag=True, help="Leave it to the control plane, and return at once.")
@click.option("--route", "route_name", metavar="NAME", help="Route to change, if the virtual router has several.")
@click.option("--abort", "action", flag_value="abort", help="Roll back now.")
@click.option("--promote", "action", flag_value="promote", help="Go to the next step now.")
@click.option("--pause", "action", flag_value="pause", help="Stay in this step.")
@click.option("--resume", "action", flag_value="resume", help="Continue; if the command was killed, repeat its stage.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="At the end, write each stage with its verdict to this file as JUnit XML.",
)
@click.pass_obj
def canary(
    settings: Settings,
    /,
    service: str,
    file: Path | None,
    lease: float,
    detach: bool,
    route_name: str | None,
    action: str | None,
    output: str,
    report: Path | None,
    **given: Any,
) -> None:
    """Release a new version of SERVICE step by step, and roll back when it fails.

    Without options, show the release that is in progress.
    """
    from shopmesh.canary.canary_state import CONTROL_PLANE
    from shopmesh.client import read_mesh

    plan = _read_plan(file, given)
    if action and plan:
        raise click.UsageError(f"--{action} is for a canary in progress: leave out the options of a plan")
    if detach and (report is not None or (plan is None and action != "resume")):
        raise click.UsageError("--detach is for starting or resuming a canary, and without --report")
    with settings.client() as client:
        resources = read_mesh(client, settings.require_mesh(client))
        route, full_name = _find_route(client, resources, service, route_name, started=plan is not None)
        owner = CONTROL_PLANE if detach else str(uuid.uuid4())
        if plan is not None:
            plan = _resolve_version(resources, route, plan)
            _require_caller(resources, route)
            client.start_canary(route, full_name, plan, owner, lease)
            supervises = not detach
        else:
            resumed = client.canary(route, "resume", owner=owner) if action == "resume" else None
            supervises = resumed is not None and resumed["owner"] == owner and not detach
        if not supervises:
            _print_canary(settings, client.canary(route, _ACTIONS.get(action or "")), output)
            return
        found = _supervise(settings, client, route, owner, output)
    if report is not None:
        _write_report(report, found)
    if found["phase"] != "promoted":
        raise SystemExit(EXIT_NOT_PROMOTED)


def _write_report(file: Path, found: CanaryStatus) -> None:
    """Writes a canary that ended as JUnit: each stage, and its end, which fails unless the canary was promoted."""
    from shopmesh.output.junit import CaseResult, render_junit

    history = found["history"]
    stages = [
        CaseResult(f"stage {past['stage']}: {past['verdict']}", seconds=past["until"] - past["since"])
        for past in history
    ]
    failures = [] if found["phase"] == "promoted" else [f"{found['phase'].replace('_', ' ')}: {found['reason']}"]
    end = CaseResult(f"{found['plan']['to']} is promoted", failures)
    seconds = sum(stage.seconds for stage in stages)
    file.write_text(render_junit(f"shopmesh canary {found['service']}", [*stages, end], seconds), encoding="utf-8")


def _read_plan(file: Path | None, given: dict[str, Any]) -> dict[str, Any] | None:
    """The plan of the file, overridden by the options; None when there is neither."""
    from shopmesh.canary import plan
    from shopmesh.documents import DocumentError, only_document
    from shopmesh.files.input_files import InputFileError, read_text

    camel = {"max_error_rate": "maxErrorRate", "max_p99": "maxP99", "min_requests": "minRequests"}
    options = {camel.get(name, name): value for name, value in given.items() if value is not None}
    if file is None and not options:
        return None
    try:
        written = only_document(read_text(file, MAX_PLAN_BYTES), str(file)) if file is not None else {}
        return plan.to_document(plan.from_document({**written, **options}))
    except (DocumentError, InputFileError) as error:
        raise click.UsageError(str(error)) from error
    except plan.CanaryPlanError as error:
        raise click.UsageError(f"{file}: {error}" if file is not None else f"the plan's {error}") from error


def _find_route(
    client: Client, resources: Sequence[DeclaredResource], service: str, route_name: str | None, started: bool
) -> tuple[tuple[str, ...], str]:
    """The path of the route to change, and the full name of its service."""
    from shopmesh.cli.mesh.route import routes_of
    from shopmesh.cli.resolve_name import resolve

    routes = [route.key for route in routes_of(resources, service, route_name)]
    if len(routes) > 1 and not started:
        # Of several routes, the one with a canary is meant.
        theirs = {(one["mesh"], one["virtualRouter"], one["route"]) for one in client.canaries()}
        routes = [key for key in routes if key.path in theirs] or routes
    if len(routes) > 1:
        names = ", ".join(key.name for key in routes)
        raise click.ClickException(f"{service} has several routes ({names}); name one with --route")
    keys = [resource.key for resource in resources]
    if any(key.kind == "virtualRouter" and key.name == service for key in keys):
        return routes[0].path, service
    return routes[0].path, resolve(keys, "virtualService", service).name


def _require_caller(resources: Sequence[DeclaredResource], route: Sequence[str]) -> None:
    """Raises `click.ClickException` where no caller's Envoy would send requests to the new version, or count them."""
    service = uncalled_service(resources, Key("virtualRouter", tuple(route[:-1])))
    if service is not None:
        raise click.ClickException(f"a canary would get no request: {NO_CALLER.format(service=service)}; {ADVICE}")


def _resolve_version(
    resources: Sequence[DeclaredResource], route: Sequence[str], plan: dict[str, Any]
) -> dict[str, Any]:
    """The plan with the full name of its virtual node, which it may call `product/2.0` or `v2`.

    Raises `click.ClickException` for one that is not a target of the route.
    """
    from shopmesh.cli.resolve_name import resolve_node

    targets = [
        target["virtualNode"]
        for one in resources
        if one.key.kind == "route" and one.key.path == tuple(route)
        for target in weighted_targets(one.spec)
    ]
    nodes = [one for one in resources if one.key.kind == "virtualNode"]
    node = resolve_node(nodes, plan["to"], targets)
    if node not in targets:
        raise click.ClickException(
            f"{node} is not a target of route {'/'.join(route[1:])}; its targets are {', '.join(targets)}. "
            f"If it is a version of the same service, add it first: `shopmesh route {route[1]} {node}=0`"
        )
    return {**plan, "to": node}


def _supervise(settings: Settings, client: Client, route: Sequence[str], owner: str, output: str) -> CanaryStatus:
    from shopmesh.cli.views.canary_view import CanaryView
    from shopmesh.client.canary_loop import run_canary
    from shopmesh.output.console import PlainConsole

    screen = PlainConsole(stderr=output == "json", no_color=settings.color is False)
    with CanaryView(screen) as view, _interrupt_on_sigterm():
        try:
            found = run_canary(client, route, owner, view.update, _wait_for_enter)
        except KeyboardInterrupt:
            found = client.canary(route, "roll back", reason="interrupted")
            view.update(found, None)
    if output == "json":
        echo_document(json.dumps(found, indent=1))
    return found


@contextlib.contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Makes SIGTERM roll back like Ctrl-C: cancelled pipelines send it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait_for_enter(seconds: float) -> bool:
    """Waits, and returns True as soon as the user presses Enter."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return False
    import select

    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready and sys.stdin.readline())


def _print_canary(settings: Settings, found: CanaryStatus, output: str) -> None:
    if output == "json":
        echo_document(json.dumps(found, indent=1))
        return
    from shopmesh.cli.views.canary_view import CanaryView
    from shopmesh.output.console import PlainConsole

    with CanaryView(PlainConsole(no_color=settings.color is False), live=False) as view:
        view.update(found, None)
