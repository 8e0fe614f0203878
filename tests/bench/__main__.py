"""Runs the benchmarks and writes docs/benchmarks.md: each figure with its machine, its command and its spread.

python -m tests.bench                 all of them, about ten minutes; leave the machine alone meanwhile
python -m tests.bench mesh.cost       only those, printed and not written
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.bench.report import machine

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"


class Section(NamedTuple):
    """A benchmark: a module below `tests.bench` that prints a table, and what its figures mean."""

    title: str
    module: str
    arguments: tuple[str, ...]
    meaning: str


SECTIONS = (
    Section(
        "How soon a change acts",
        "mesh.convergence",
        (),
        "Aim: ACK p99 under 25 ms. The API call waits for the disk; Envoy and the control plane take the rest.",
    ),
    Section(
        "What changing the mesh loses",
        "mesh.changes",
        (),
        "Aim: nothing, and all proxies in step within 1.5 s of a restart.",
    ),
    Section(
        "What the mesh costs",
        "mesh.cost",
        (),
        "Aim: p50 x 1.4, missed: one order is three calls and crosses five Envoys, "
        "about 0.5 ms each on two shared cores.",
    ),
    Section(
        "The services against the tutorial's own way",
        "services.bench",
        (),
        "Aim: x 3.5. Theirs is written again from its description: development server, debug mode, "
        "a new connection for each call, one peer after the other.",
    ),
    Section("From nothing to the first answer", "mesh.start", (), "Aim: under 2 s."),
    Section(
        "The containers' images",
        "containers.images",
        (),
        "Sizes are with their base, which the services and the control plane share. Needs a Docker engine.",
    ),
    Section(
        "Interception against explicit proxying",
        "containers.interception",
        (),
        "The same order through five Envoys; intercepted it also crosses iptables, a bridge and a published port.",
    ),
    Section(
        "What the load generator can do",
        "load.ceiling",
        (),
        "Aim for one core: 5,000/s with 99.9 % of the plan sent, under 100 µs of CPU a request, half of the sends less "
        "than 100 µs late. wrk and hey send the next request when an answer came: their rate is a ceiling, and their "
        "latencies leave out what a stall would have hit. Client and target have a core each.",
    ),
    Section(
        "Whether canaries are judged rightly",
        "canary.simulated",
        (),
        "Aim: less than 1 % of the good ones turned back, less than 1 % of the bad ones promoted. Simulated truth: the "
        "usual plan (5, 10, 25, 50 %, 30 s each, errors up to 1 %, p99 bounded), 100 requests a second.",
    ),
    Section(
        "What a bad version costs",
        "canary.detection",
        (),
        "Time to detect and requests lost on real Envoys at 200 requests a second, with 5, 10, 25, 50 % for 5 s each. "
        "A plain switch loses on until somebody notices. 1 % is within the bound: only being worse than stable turns "
        "it back.",
    ),
    Section(
        "One route change to many proxies",
        "xds.scale",
        (),
        "Aim: last ACK within 120 ms for 1,000 proxies and 300 ms for 2,000, under 150 MiB; 5,000 connect at once. "
        "Memory misses it from about 1,300 proxies on: a connection takes some 80 kB, most of them gRPC's. "
        "The clients are light, so that the server is measured.",
    ),
    Section(
        "One route change in a large mesh",
        "xds.large",
        (),
        "Aim: under 50 ms to the ACK of the proxy that it concerns. A proxy that calls every service misses it: "
        "its table of routes is one resource of 1.6 MB, which Envoy reads as a whole.",
    ),
    Section(
        "A large mesh in a cluster",
        "kubernetes.reading",
        (),
        "What is converted again follows what changed. The API server and the network are not in it.",
    ),
    Section(
        "Delta against state of the world",
        "xds.delta",
        (),
        "The figures behind [ADR 1](adr/0001-delta-xds.md): bytes and CPU for one proxy.",
    ),
)


def measured(section: Section) -> str:
    """One section of the page; raises CalledProcessError when the benchmark fails."""
    command = [sys.executable, "-m", f"tests.bench.{section.module}", *section.arguments]
    print(f"{section.title} …", file=sys.stderr, flush=True)
    printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = printed.rstrip().splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("|")), None)
    table = "\n".join(lines[first:]) if first is not None else "```text\n" + "\n".join(lines) + "\n```"
    asked = " ".join(("python -m", f"tests.bench.{section.module}", *section.arguments))
    return f"## {section.title}\n\n{section.meaning}\n\n{table}\n\n`{asked}`\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="MODULE", help="mesh.cost, xds.scale, …")
    only = parser.parse_args().only
    if unknown := set(only) - {section.module for section in SECTIONS}:
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; see SECTIONS in {__file__}")
    if only:
        for section in SECTIONS:
            if section.module in only:
                print(measured(section))
        return
    head = (
        "# Benchmarks\n\nMade by `make bench`; absolute figures are of this machine, ratios were measured in one run, "
        f"alternating.\n\nMachine: {machine()}.\n"
    )
    PAGE.write_text("\n".join([head, *map(measured, SECTIONS)]))
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
