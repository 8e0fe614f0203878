"""Runs the benchmarks and writes docs/benchmarks.md: each figure with its machine, its command and its spread.

python -m tests.bench                 all of them, about ten minutes; leave the machine alone meanwhile
python -m tests.bench mesh.cost       only those, printed and not written
python -m tests.bench --brief         whether they work: each as short as it can be, without writing anything
python -m tests.bench --record 0.2.0  adds what the page says now to the figures of releases, and draws them
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.bench import history
from tests.bench.report import machine

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
DATA, PLOT = ROOT / "docs" / "benchmarks.csv", ROOT / "docs" / "pictures" / "benchmarks.svg"


class Section(NamedTuple):
    """A benchmark: a module below `tests.bench` that prints a table, and what its figures mean.

    `brief` are the arguments with which it takes a few seconds; None for one that cannot. `browser`: it needs chromium.
    """

    title: str
    module: str
    brief: tuple[str, ...] | None
    meaning: str
    browser: bool = False


_RELEASES = (
    "## From release to release\n\nMedians with their spread; the machine may have been another one. "
    "The figures are in [benchmarks.csv](benchmarks.csv), to which each release appends.\n\n"
    "![Some of the figures below, release by release](pictures/benchmarks.svg)\n\n"
    "`python -m tests.bench --record RELEASE`\n"
)


class MissingFigureError(Exception):
    """A benchmark ended well and did not print all its figures; the message names it and the line."""


SECTIONS = (
    Section(
        "How soon a change acts",
        "mesh.convergence",
        ("--changes", "3"),
        "Aim: ACK p99 under 25 ms. The API call waits for the disk; Envoy and the control plane take the rest.",
    ),
    Section(
        "What changing the mesh loses",
        "mesh.changes",
        ("--weights", "4", "--nodes", "1", "--restarts", "1", "--rate", "50"),
        "Aim: nothing, and all proxies in step within 1.5 s of a restart.",
    ),
    Section(
        "What a hang costs",
        "mesh.hang",
        ("--seconds", "1"),
        "Aim: one of two instances: under 1 % fail, p99 under 1 s; a whole version: its share fails, "
        "each request within 1 s, and within 50 ms once the version was left out.",
    ),
    Section(
        "What the mesh costs",
        "mesh.cost",
        ("--rounds", "1", "--seconds", "0.3"),
        "An order is three calls and crosses five Envoys. *Minimal Envoys* stand in the same places, static and "
        "written by hand, with nothing but routes: what any sidecar of Envoy costs here. Aims, for the upper ends of "
        "the intervals: what the mesh adds to the latency at most 1.25 times theirs, the Envoys' CPU at most 1.15 "
        "times; `shopmesh up` itself at most 30 µs an order.",
    ),
    Section(
        "The services against the tutorial's own way",
        "services.bench",
        ("--rounds", "1", "--seconds", "0.3"),
        "Aim: x 3.5. Theirs is written again from its description: development server, debug mode, "
        "a new connection for each call, one peer after the other.",
    ),
    Section("From nothing to the first answer", "mesh.start", ("--starts", "1"), "Aim: under 2 s."),
    Section(
        "The containers' images",
        "containers.images",
        None,
        "Sizes are with their base, which the services and the control plane share. Needs a Docker engine.",
    ),
    Section(
        "Interception against explicit proxying",
        "containers.interception",
        None,
        "The same order through five Envoys; intercepted it also crosses iptables, a bridge and a published port.",
    ),
    Section(
        "What the load generator can do",
        "load.ceiling",
        ("--rounds", "1", "--seconds", "0.3"),
        "Aim for one core: 5,000/s with 99.9 % of the plan sent, under 100 µs of CPU a request, half of the sends less "
        "than 100 µs late. wrk and hey send the next request when an answer came: their rate is a ceiling, and their "
        "latencies leave out what a stall would have hit. Client and target have a core each.",
    ),
    Section(
        "Whether canaries are judged rightly",
        "canary.simulated",
        ("--canaries", "3"),
        "Aim: less than 1 % of the good ones rolled back, less than 1 % of the bad ones promoted. Simulated truth: the "
        "usual plan (5, 10, 25, 50 %, 30 s each, errors up to 1 %, p99 bounded), 100 requests a second.",
    ),
    Section(
        "What a bad version costs",
        "canary.detection",
        ("--rounds", "1", "--shares", "1.0", "--every", "1"),
        "Time to detect and requests lost on real Envoys at 200 requests a second, with 5, 10, 25, 50 % for 5 s each. "
        "A plain switch loses on until somebody notices. 1 % is within the bound: only being worse than stable turns "
        "it back.",
    ),
    Section(
        "One route change to many proxies",
        "xds.scale",
        ("--proxies", "20", "--changes", "2"),
        "Aim: last ACK within 120 ms for 1,000 proxies and 300 ms for 2,000, under 150 MiB; 5,000 connect at once. "
        "Memory misses it from about 1,300 proxies on: a connection takes some 80 kB, most of them gRPC's. "
        "The clients are light, so that the server is measured.",
    ),
    Section(
        "Two carriers of xDS",
        "xds.carriers",
        ("--proxies", "20", "--pairs", "2", "--changes", "2"),
        "gRPC's library and our own HTTP/2 (`serve --xds-carrier http2`), over TLS, with a token and a node of 61 kB. "
        "Aim: ratios of at most 0.45, and 30 kB a proxy from 1,000 to 5,000 (`--memory 1000 5000`). Missed: some 20 to "
        "30 µs a stream are the session's, whatever carries it, and so is half of the memory.",
    ),
    Section(
        "One route change in a large mesh",
        "xds.large",
        ("--services", "10", "--routes", "2", "--changes", "2"),
        "Aim: under 50 ms to the ACK of the proxy that it concerns. The table of routes of a proxy that calls every "
        "service is one resource of 0.67 MB, which Envoy loads as a whole.",
    ),
    Section(
        "How long the event loop is kept",
        "xds.stall",
        ("--services", "10", "--routes", "2", "--rounds", "1", "--proxies", "20", "--blocked", "0.5"),
        "Aim: under 50 ms between two turns, whatever is computed; and no connection is lost when the loop is blocked "
        "for 4 s. A turn in which Python also searches for garbage (up to 44 ms) misses it.",
    ),
    Section(
        "Where the time of a change in a large mesh goes",
        "xds.parts",
        ("--services", "10", "--routes", "2", "--changes", "2"),
        "Aim: our CPU and bytes at the level of the small proxy; no more than Envoy's own CPU and 5 ms until its ACK. "
        "Bytes miss it: [ADR 46](adr/0046-a-large-table-stays-one-resource.md) compares what Envoy offers instead.",
    ),
    Section(
        "What the console's stream costs",
        "console.live",
        ("--services", "5", "--seconds", "0.3", "--streams", "2", "--changes", "2"),
        "Aim: under 30 kB a second, and under 2 s at the median from a change of weights to figures counted since. "
        "Envoys report once a second, and a report counts only if it began after the change. A browser has one stream, "
        "whatever its tabs; all streams share what is computed. The proxies are simulated.",
    ),
    Section(
        "What the console's first page costs",
        "console.page",
        ("--services", "5", "--seconds", "0.5", "--rounds", "1", "--layout", "20"),
        "Aims: at most 80 kB, no task over 50 ms with 200 services, and a layout of 1,000 services under 300 ms. "
        "The browser has nothing in its cache; it shares the cores with the control plane and the simulated proxies. "
        "Not reached: with all 200 services and traffic on each of them in one picture, two updates of three take "
        "longer than 50 ms.",
        browser=True,
    ),
    Section(
        "A large mesh in a cluster",
        "kubernetes.reading",
        ("--services", "5", "--routes", "2", "--changes", "2"),
        "What is converted again follows what changed. The API server and the network are not in it.",
    ),
    Section(
        "Delta against state of the world",
        "xds.delta",
        ("--clusters", "10", "--rounds", "2"),
        "The figures behind [ADR 1](adr/0001-delta-xds.md): bytes and CPU for one proxy.",
    ),
)


def run(module: str, arguments: Sequence[str] = ()) -> list[str]:
    """The lines that a benchmark prints; raises CalledProcessError when it fails, and MissingFigureError."""
    printed = subprocess.run(
        _command(module, arguments), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    lines = printed.rstrip().splitlines()
    for problem in missing_figures(lines):
        raise MissingFigureError(f"tests.bench.{module}: {problem}")
    return lines


def missing_figures(lines: Sequence[str]) -> Iterator[str]:
    """What is missing of the figures of a benchmark: all of them, or some of a line."""
    # The first line is a heading, which may have figures too: p50.
    if not any(re.search(r"\d", line) for line in lines[1:]):
        yield "it printed no figures"
    for line in lines:
        if found := re.search(r"\b(nan|inf|None)\b", line):
            yield f"there is {found[0]} for a figure in: {line}"


def measured(section: Section) -> str:
    """One section of the page; raises CalledProcessError and MissingFigureError."""
    print(f"{section.title} …", file=sys.stderr, flush=True)
    lines = run(section.module)
    first = next((number for number, line in enumerate(lines) if line.startswith("|")), None)
    table = "\n".join(lines[first:]) if first is not None else "```text\n" + "\n".join(lines) + "\n```"
    return f"## {section.title}\n\n{section.meaning}\n\n{table}\n\n`python -m tests.bench.{section.module}`\n"


def run_briefly(sections: Iterable[Section]) -> None:
    """Runs each as short as it can be; raises CalledProcessError and MissingFigureError."""
    for section in sections:
        began = time.monotonic()
        if section.brief is None:
            subprocess.run(_command(section.module, ("--help",)), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            print(f"{section.module}: LEFT OUT, for it builds images; its code loads", flush=True)
        elif section.browser and not has_browser():
            print(f"{section.module}: LEFT OUT, for there is no chromium, or no playwright to drive it", flush=True)
        else:
            run(section.module, section.brief)
            print(f"{section.module}: works ({time.monotonic() - began:.0f} s)", flush=True)


def has_browser() -> bool:
    return find_spec("playwright") is not None and shutil.which("chromium") is not None


def _command(module: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.{module}", *arguments]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="MODULE", help="mesh.cost, xds.scale, …")
    parser.add_argument("--brief", action="store_true", help="only see whether they work")
    parser.add_argument("--record", metavar="RELEASE", help="add the page's figures to those of earlier releases")
    asked = parser.parse_args()
    if asked.record:
        _record(asked.record)
        return
    if unknown := set(asked.only) - {section.module for section in SECTIONS}:
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; see SECTIONS in {__file__}")
    chosen = [section for section in SECTIONS if section.module in asked.only or not asked.only]
    try:
        if asked.brief:
            run_briefly(chosen)
        elif asked.only:
            for section in chosen:
                print(measured(section))
        else:
            _write_page()
    except (subprocess.CalledProcessError, MissingFigureError) as error:
        sys.exit(f"error: {error}")


def _record(release: str) -> None:
    """Writes the data file and the plot."""
    entries = history.figures_of(PAGE.read_text(), release)
    data = history.with_release(DATA.read_text() if DATA.exists() else "", entries)
    DATA.write_text(data)
    PLOT.write_text(history.render(history.parse(data)))


def _write_page() -> None:
    head = (
        "# Benchmarks\n\nMade by `make bench`; absolute figures are of this machine, ratios were measured in one run, "
        f"alternating.\n\nMachine: {machine()}.\n\n{_RELEASES}"
    )
    PAGE.write_text("\n".join([head, *map(measured, SECTIONS)]))
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
