"""`shopmesh load`: requests when they are due, and a report of who answered them."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import ssl
import time
from collections.abc import Sequence
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
    from shopmesh.load.report.report import LoadReport
    from shopmesh.load.run import Load
    from shopmesh.load.weight_watcher import WeightWatcher

MAX_REPORT_BYTES = 256 << 20
MAX_BODY_BYTES = 16 << 20


@dataclass(frozen=True)
class LoadOptions:
    """The command line; times are seconds, shares from 0 to 1."""

    urls: tuple[str, ...]
    rate: str
    seconds: float
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


class LoadCommand(click.Command):
    """`load URL …`, and `load compare A B` beside it."""

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
  shopmesh load http://127.0.0.1:8080/ --rate 100..1000 --for 2m --report load.html --report load.json
  shopmesh load http://127.0.0.1:8080/orders/1 http://127.0.0.1:8080/ --weights 3,1 --arrivals poisson --seed 7
  shopmesh load http://127.0.0.1:8080/ --rate 200 --for 40s --assert-split --assert-errors 0 --assert-p99 300ms
  shopmesh load https://shop.example/ --version-header x-version --expect app/1=75 --expect app/2=25
  shopmesh load compare before.json after.json

\b
A version is SERVICE/VERSION, as in product/2.0. The weights are asked from the control plane, also while they change.
Exit status: 0 done; 1 it failed, or what was asserted does not hold; 2 the command line is wrong.
""",
)
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@click.option("--rate", default="100", show_default=True, help="Requests a second: 500, 100..1000 or 100,200,400.")
@click.option("--for", "seconds", type=DurationType(), default="30s", show_default=True, help="How long to send.")
@click.option(
    "--arrivals", type=click.Choice(["even", "poisson"]), default="even", show_default=True, help="How they come."
)
@click.option("--seed", default=1, show_default=True, help="Of what is drawn: arrivals, URLs.")
@click.option("--weights", metavar="N,N…", help="How often each URL is asked, in proportion; without it all alike.")
@click.option("-X", "--method", default="GET", show_default=True, help="Of all requests.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME: VALUE", help="Sent with all requests.")
@click.option("-d", "--data", help="Body of all requests; @FILE for that of a file.")
@click.option("--connections", default=100, show_default=True, type=click.IntRange(1, 10_000), help="To each server.")
@click.option(
    "--timeout", type=DurationType(), default="10s", show_default=True, help="For an answer, since it was due."
)
@click.option("--insecure", is_flag=True, help="Do not verify the certificates of https servers.")
@click.option(
    "--version-header",
    "version_headers",
    multiple=True,
    metavar="NAME",
    help="Header that says who answered. [default: x-service-version and x-peer-versions]",
)
@click.option("--version-body", is_flag=True, help="Find the versions in the body, as the webinar's services say them.")
@click.option("--version-pattern", metavar="REGEX", help="Find them by this: groups (service, version), or (version).")
@click.option(
    "--node", "nodes", type=NameValueType(), multiple=True, metavar="NODE=VERSION", help="What a virtual node is."
)
@click.option(
    "--expect",
    type=NameValueType(),
    multiple=True,
    metavar="VERSION=PERCENT",
    help="A share, where no control plane tells it.",
)
@click.option("--report", "reports", multiple=True, metavar="FILE", help="Write the report, as .json or .html.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--assert-split", is_flag=True, help="Fail unless every share is as set (p < 1e-5, enough requests).")
@click.option(
    "--assert-errors", type=ShareType(), metavar="SHARE", help="Fail when more requests fail, as in 0 or 0.1%."
)
@click.option("--assert-p99", type=DurationType(), metavar="DURATION", help="Fail when p99 of all requests is longer.")
@click.pass_obj
def load(settings: Settings, /, **options: Any) -> None:
    """Send requests to URL at their planned times, and report who answered, how fast, and what failed.

    Requests leave whether or not earlier ones came back, and latency counts from when each was due.
    """
    from shopmesh.load.engine.open_loop import LoadError
    from shopmesh.load.judgement.assertions import Assertions
    from shopmesh.load.progress import progress_display
    from shopmesh.load.report.report import build_report
    from shopmesh.load.run import run
    from shopmesh.output.console import PlainConsole

    asked = LoadOptions(**options)
    for file in asked.reports:
        if Path(file).suffix not in (".json", ".html"):
            raise click.UsageError(f"--report {file}: name it .json or .html")
    promises = Assertions(asked.assert_split, asked.assert_errors, asked.assert_p99)
    try:
        what = _parse_load(asked)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    screen = PlainConsole(stderr=asked.output == "json", no_color=settings.color is False)
    with contextlib.ExitStack() as stack:
        what, watcher = _with_watcher(settings, what, dict(asked.nodes), stack)
        try:
            record = run(what, watcher, progress_display(screen))
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
    """Show two reports of `shopmesh load` side by side; both as they were written by --report FILE.json."""
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
        echo(f"If both failed alike, failures so unequal would be seen with p = {chance:.2g}.")


def _parse_load(options: LoadOptions) -> Load:
    """What the command line asks for; raises ValueError."""
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
        plan=LoadPlan(parse_segments(options.rate, options.seconds), options.arrivals == "poisson", options.seed),
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
        raise ValueError(f"--weights {options.weights}: {len(what.targets)} URLs need as many weights")
    return what


def _with_watcher(
    settings: Settings, what: Load, nodes: dict[str, str], stack: contextlib.ExitStack
) -> tuple[Load, WeightWatcher | None]:
    """A watcher of the control plane's weights, or a note why there is none: a load does without."""
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
    settings: Settings, report: LoadReport, promises: Assertions, output: str, reports: Sequence[str]
) -> None:
    """Prints and writes the report; exits with 1 when a promise was not kept."""
    from shopmesh.load.judgement.assertions import failed_assertions
    from shopmesh.load.report.html import render_html
    from shopmesh.load.report.json_report import to_json
    from shopmesh.load.report.text import render_text

    found = failed_assertions(report, promises)
    document = json.dumps(to_json(report, found), indent=1)
    for file in reports:
        Path(file).write_text(
            document if file.endswith(".json") else render_html(report, promises, found), encoding="utf-8"
        )
    if output == "json":
        echo_document(document)
    else:
        from shopmesh.cli.views.tables import console

        terminal = console(settings.color)
        for part in render_text(report, promises, found):
            terminal.print(part, soft_wrap=True)
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
        raise ValueError(f"{text!r} is no header: write NAME: VALUE")
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
        raise ValueError(f"{text!r} is no number") from None
