"""`shopmesh load`: an open-loop load test that reports which versions answered."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.parameters import DurationType, NameValueType, ShareType
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.load.judgement.assertions import Assertions
    from shopmesh.load.limit.limit_report import LimitReport
    from shopmesh.load.report.report import LoadReport
    from shopmesh.load.run import Display, Load
    from shopmesh.load.weight_watcher import WeightWatcher

MAX_REPORT_BYTES = 256 << 20
_LOAD_SECONDS, _STEP_SECONDS = 30.0, 5.0
_REPORT_SUFFIXES = (".json", ".html", ".xml")
MAX_BODY_BYTES = 16 << 20


@dataclass(frozen=True)
class LoadOptions:
    """The options of the command; times in seconds, shares from 0 to 1."""

    urls: tuple[str, ...]
    rate: str
    seconds: float | None
    arrivals: str
    seed: int
    weights: str | None
    method: str
    headers: tuple[str, ...]
    data: str | None
    connections: int
    timeout: float
    insecure: bool
    version_headers: tuple[str, ...]
    version_body: bool
    version_pattern: str | None
    nodes: tuple[tuple[str, str], ...]
    expect: tuple[tuple[str, str], ...]
    reports: tuple[str, ...]
    output: str
    assert_split: bool
    assert_errors: float | None
    assert_p99: float | None
    find_limit: bool

    @property
    def load_seconds(self) -> float:
        """The length of the load, or of each step of a search."""
        return self.seconds or (_STEP_SECONDS if self.find_limit else _LOAD_SECONDS)


class LoadCommand(click.Command):
    """`load URL …`, with `load compare A B` as a second form."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["compare"]:
            return compare.make_context(f"{info_name} compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=LoadCommand,
    epilog="""\b
Examples:
  shopmesh load http://127.0.0.1:8080/ --rate 500 --for 60s
  shopmesh load http://127.0.0.1:8080/ --rate 100..1000 --report load.html
  shopmesh load http://127.0.0.1:8080/ --assert-split --assert-p99 300ms
  shopmesh load http://127.0.0.1:8080/ --find-limit --assert-p99 50ms --assert-errors 0.1%
  shopmesh load http://127.0.0.1:8080/a http://127.0.0.1:8080/b --weights 3,1
  shopmesh load https://shop.example/ --expect app/1=75 --expect app/2=25
  shopmesh load compare before.json after.json

Versions are written SERVICE/VERSION, such as product/2.0. If a control plane is reachable, the expected shares are its
weights, also while they change; otherwise name them with --expect.

\b
Exit status:
  0  success
  1  failure, an assertion does not hold, or every request failed
  2  invalid command line
""",
)
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@click.option(
    "--rate", default="100", show_default=True, help="Requests per second: 500, a ramp 100..1000, or steps 100,200,400."
)
@click.option(
    "--for",
    "seconds",
    type=DurationType(),
    help="Duration of the test, with --find-limit of each step.  [default: 30s; 5s a step]",
)
@click.option(
    "--arrivals",
    type=click.Choice(["even", "poisson"]),
    default="even",
    show_default=True,
    help="Distribution of arrivals.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of random arrivals and of the choice of URLs.")
@click.option("--weights", metavar="N,N…", help="Proportions in which the URLs are requested.  [default: equal]")
@click.option("-X", "--method", default="GET", show_default=True, help="HTTP method.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME: VALUE", help="Header of all requests; repeatable."
)
@click.option("-d", "--data", help="Body of all requests; @FILE reads it from a file.")
@click.option(
    "--connections",
    default=100,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Maximum connections to each server.",
)
@click.option(
    "--timeout",
    type=DurationType(),
    default="10s",
    show_default=True,
    help="Longest time from when a request is due to its answer.",
)
@click.option("--insecure", is_flag=True, help="Do not verify the certificates of https servers.")
@click.option(
    "--version-header",
    "version_headers",
    multiple=True,
    metavar="NAME",
    help="Response header with the versions that answered.  [default: x-service-version, x-peer-versions]",
)
@click.option(
    "--version-body", is_flag=True, help="Read the versions from the body, as the webinar's services write them."
)
@click.option(
    "--version-pattern",
    metavar="REGEX",
    help="Read the versions from the body by this pattern, with groups (service, version) or (version).",
)
@click.option(
    "--node",
    "nodes",
    type=NameValueType(),
    multiple=True,
    metavar="NODE=VERSION",
    help="Version of a virtual node whose labels do not say it; repeatable.",
)
@click.option(
    "--expect",
    type=NameValueType(),
    multiple=True,
    metavar="VERSION=PERCENT",
    help="Expected share of a version, if no control plane is used; repeatable.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="FILE",
    help="Write the report to this .json or .html file, or the assertions as JUnit to this .xml file; repeatable.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--assert-split",
    is_flag=True,
    help="Fail unless every share is as its weight says, and the requests are enough to tell.",
)
@click.option(
    "--assert-errors",
    type=ShareType(),
    metavar="SHARE",
    help="Fail if more requests fail than this share, such as 0 or 0.1%.  [default: fail if all do]",
)
@click.option(
    "--assert-p99", type=DurationType(), metavar="DURATION", help="Fail if p99 of all requests is longer than this."
)
@click.option(
    "--find-limit",
    is_flag=True,
    help="Search for the highest rate at which --assert-errors and --assert-p99 hold, beginning at --rate.",
)
@click.pass_obj
def load(settings: Settings, /, **options: Any) -> None:
    """Send requests at a given rate, and report which versions answered, how fast, and what failed.

    The load is open-loop: requests are sent at their planned times even if earlier ones are still waiting, and latency
    is measured from the planned time.
    """
    from shopmesh.load.engine.open_loop import LoadError
    from shopmesh.load.judgement.assertions import Assertions
    from shopmesh.load.progress import progress_display
    from shopmesh.load.report.report import build_report
    from shopmesh.load.run import run
    from shopmesh.output.console import PlainConsole

    asked = LoadOptions(**options)
    for file in asked.reports:
        if Path(file).suffix not in _REPORT_SUFFIXES:
            raise click.UsageError(f"--report {file}: the name must end in .json, .html or .xml")
    promises = Assertions(asked.assert_split, asked.assert_errors, asked.assert_p99)
    try:
        what = _parse_load(asked)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    screen = PlainConsole(stderr=asked.output == "json", no_color=settings.color is False)
    display = progress_display(screen)
    if asked.find_limit:
        _search_limit(settings, asked, what, promises, display, screen.print)
        return
    with contextlib.ExitStack() as stack:
        what, watcher = _with_watcher(settings, what, dict(asked.nodes), stack)
        try:
            record = run(what, watcher, display)
        except LoadError as error:
            raise click.ClickException(str(error)) from error
    _output_report(settings, build_report(record), promises, asked.output, asked.reports)


@click.command(
    epilog="""\b
Examples:
  shopmesh load compare before.json after.json
"""
)
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def compare(settings: Settings, before: Path, after: Path) -> None:
    """Compare two reports that `shopmesh load --report FILE.json` wrote."""
    from shopmesh.cli.views.tables import show, table
    from shopmesh.files.input_files import read_text
    from shopmesh.load.report.comparison import compare, failures_differ
    from shopmesh.load.report.report import build_report
    from shopmesh.load.report.result_file import ResultFileError, parse

    found = []
    for file in (before, after):
        try:
            found.append(build_report(parse(read_text(file, MAX_REPORT_BYTES))))
        except ResultFileError as error:
            raise click.ClickException(f"{file} {error}") from error
    rows = [
        [row.what, row.before, row.after, "" if row.change is None else f"{100 * row.change:+.1f} %"]
        for row in compare(*found)
    ]
    columns = ("", before.name, after.name, "change")
    show(table(columns, rows, right=columns[1:]), settings.color)
    if (chance := failures_differ(*found)) is not None:
        echo(f"If both failed equally often, a difference this large would have p = {chance:.2g}.")


def _parse_load(options: LoadOptions) -> Load:
    """The load that the options describe; raises ValueError."""
    from shopmesh.load.engine.open_loop import Limits
    from shopmesh.load.engine.plan import LoadPlan, parse_segments
    from shopmesh.load.engine.targets import make_target
    from shopmesh.load.judgement.attribution import BODY_PATTERN, HEADERS, Attribution, compile_pattern
    from shopmesh.load.judgement.weights import parse_shares
    from shopmesh.load.run import Load

    headers = [_parse_header(text) for text in options.headers]
    body = _read_body(options.data)
    text = options.version_pattern or (BODY_PATTERN if options.version_body else None)
    tls = ssl.create_default_context()
    if options.insecure:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    what = Load(
        plan=LoadPlan(parse_segments(options.rate, options.load_seconds), options.arrivals == "poisson", options.seed),
        targets=[make_target(url, options.method, headers, body) for url in options.urls],
        weights=_parse_numbers(options.weights),
        attribution=Attribution(
            options.version_headers or (() if text else HEADERS), compile_pattern(text) if text else None
        ),
        limits=Limits(options.connections, timeout=options.timeout),
        tls=tls,
        expected=parse_shares([(name, _parse_number(percent)) for name, percent in options.expect]),
        about=_run_metadata(options),
    )
    if what.weights and len(what.weights) != len(what.targets):
        raise ValueError(f"--weights {options.weights}: give {len(what.targets)} weights, one for each URL")
    return what


def _search_limit(
    settings: Settings,
    options: LoadOptions,
    load: Load,
    bounds: Assertions,
    display: Display,
    show: Callable[[str], None],
) -> None:
    """Searches for the highest rate at which the bounds hold, and reports it; raises UsageError."""
    from shopmesh.load.engine.open_loop import LoadError
    from shopmesh.load.limit.measure import search_limit
    from shopmesh.load.limit.search import SearchRange

    if bounds.split:
        raise click.UsageError("--find-limit judges errors and latency, not shares: leave out --assert-split")
    if not bounds:
        raise click.UsageError("--find-limit needs bounds that a rate must keep: --assert-errors, --assert-p99 or both")
    start = load.plan.segments[0].first
    if len(load.plan.segments) > 1 or start != load.plan.segments[0].last:
        raise click.UsageError(f"--find-limit begins at one rate, not at --rate {options.rate}")
    span = SearchRange(start, lowest=min(start, 1.0))
    try:
        limit, report = search_limit(load, options.load_seconds, span, bounds, display, show)
    except LoadError as error:
        raise click.ClickException(str(error)) from error
    _output_report(settings, report, bounds, options.output, options.reports, limit)


def _with_watcher(
    settings: Settings, what: Load, nodes: dict[str, str], stack: contextlib.ExitStack
) -> tuple[Load, WeightWatcher | None]:
    """Adds a watcher of the control plane's weights, or a note why there is none: a load test does not need it."""
    from shopmesh.client import ClientError
    from shopmesh.load.weight_watcher import WeightWatcher

    client = stack.enter_context(settings.client())
    try:
        mesh = settings.require_mesh(client)
        client.splits(mesh)
    except (ClientError, click.ClickException) as error:
        reason = error.message if isinstance(error, click.ClickException) else str(error)
        if settings.mesh is not None:
            raise
        return replace(what, notes=[*what.notes, f"no weights from a control plane: {reason}"]), None
    return what, WeightWatcher(client, mesh, nodes, what.expected)


def _output_report(
    settings: Settings,
    report: LoadReport,
    promises: Assertions,
    output: str,
    reports: Sequence[str],
    limit: LimitReport | None = None,
) -> None:
    """Prints and writes the report; exits with 1 when a promise was not kept, or no limit was found."""
    from shopmesh.load.judgement.assertions import check_assertions
    from shopmesh.load.report.html import render_html
    from shopmesh.load.report.json_report import to_json
    from shopmesh.load.report.text import render_text
    from shopmesh.output.junit import render_junit

    results = check_assertions(report, promises) if limit is None else [limit.junit_case]
    found = [failure for result in results for failure in result.failures]
    document = json.dumps(to_json(report, found, limit), indent=1)
    renderers: dict[str, Callable[[], str]] = {
        ".json": lambda: document,
        ".html": lambda: render_html(report, promises, found, limit),
        ".xml": lambda: render_junit("shopmesh load", results, report.record.seconds),
    }
    for file in reports:
        Path(file).write_text(renderers[Path(file).suffix](), encoding="utf-8")
    if output == "json":
        echo_document(document)
    else:
        from shopmesh.cli.views.tables import console

        terminal = console(settings.color)
        for part in render_text(report, promises, found, limit):
            terminal.print(part, crop=False)
    if found:
        raise SystemExit(1)


def _run_metadata(options: LoadOptions) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "began": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": f"{platform.system()} {platform.machine()}, {cores} cores",
        "Python": platform.python_version(),
        "shopmesh": version("shopmesh"),
        "arrivals": f"{options.rate}/s {options.arrivals}",
        "seed": str(options.seed),
        "connections": str(options.connections),
    }


def _parse_header(text: str) -> tuple[str, str]:
    name, sign, value = text.partition(":")
    if not sign:
        raise ValueError(f"{text!r} is not a header: write NAME: VALUE")
    return name.strip(), value.strip()


def _read_body(text: str | None) -> bytes:
    if text is None:
        return b""
    if not text.startswith("@"):
        return text.encode()
    from shopmesh.files.input_files import read_bytes

    return read_bytes(Path(text[1:]), MAX_BODY_BYTES)


def _parse_numbers(text: str | None) -> list[float]:
    return [_parse_number(part) for part in text.split(",")] if text else []


def _parse_number(text: str) -> float:
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
