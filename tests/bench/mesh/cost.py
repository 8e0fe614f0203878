"""What the mesh costs: the same order without sidecars, through minimal static Envoys, and through a mesh of ours.

Through either mesh an order crosses five Envoys in three processes. Each round measures all three ways one after the
other, beginning with another one each time; what is compared comes from the same round.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.mesh.minimal import APPLICATIONS, Running, direct, minimal
from tests.bench.mesh.processes import children_of, cpu_seconds
from tests.bench.mesh.running import mesh
from tests.bench.report import quantile, ratio_interval, spread, table
from tests.bench.services.load import load

ORDER = "/orders/1"
DIRECT, MINIMAL, OURS, BEFORE = "direct", "minimal Envoys", "shopmesh", "before"
ONE, MANY = 1, 8
"""Users: with one an order's latency is seen, with eight the machine has no rest."""
CONTROL_PLANE, SUPERVISOR = "control plane", "`shopmesh up`"
_MOST_FAILED = 0.01
"""The demo's time-outs are short: on a machine with other work an order may run into one."""
_BUSY = ("order", "customer", "product")


@dataclass
class Measured:
    """What one way gave in each round, by the number of users. `cpu` is µs an order by program."""

    p50: dict[int, list[float]] = field(default_factory=dict)
    rate: dict[int, list[float]] = field(default_factory=dict)
    cpu: dict[int, list[dict[str, float]]] = field(default_factory=dict)


def measure(rounds: int, seconds: float, before: Path | None) -> str:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways = {
            DIRECT: stack.enter_context(direct()),
            MINIMAL: stack.enter_context(minimal(folder)),
            OURS: stack.enter_context(ours()),
        }
        if before is not None:
            ways[BEFORE] = stack.enter_context(ours(before))
        found = {name: Measured() for name in ways}
        for way in ways.values():
            load(way.way_in, ORDER, MANY, min(2.0, seconds))
        for number in range(rounds):
            turn = number % len(ways)
            for name in [*list(ways)[turn:], *list(ways)[:turn]]:
                for users in (ONE, MANY):
                    _measure_once(found[name], ways[name], users, seconds)
    return "\n\n".join([_latency(found), *(_cpu(found, users) for users in (ONE, MANY))])


@contextlib.contextmanager
def ours(checkout: Path | None = None) -> Iterator[Running]:
    """The mesh of the demo by `shopmesh up`, with its programs."""
    with mesh(checkout) as running:
        programs = {SUPERVISOR: running.child.pid}
        for pid, command in children_of(running.child.pid).items():
            if (name := _program(command)) is not None:
                programs[name] = pid
        yield Running(running.way_in, programs)


def _program(command: str) -> str | None:
    """The name of a child of `shopmesh up`, by its command line; None for one that has no part in an order."""
    if " serve " in command:
        return CONTROL_PLANE
    for name, module in APPLICATIONS.items():
        if f" {module}:create_app()" in command:
            return f"{name} app"
        if f"/{name}-vn-1.json" in command:
            return f"{name} envoy"
    return None


def _measure_once(found: Measured, way: Running, users: int, seconds: float) -> None:
    before = cpu_seconds(way.programs)
    figures = load(way.way_in, ORDER, users, seconds)
    after = cpu_seconds(way.programs)
    if figures.bad > _MOST_FAILED * figures.good:
        raise RuntimeError(f"{figures.bad} orders of {figures.good + figures.bad} were not answered with 200")
    found.p50.setdefault(users, []).append(figures.percentile(0.5))
    found.rate.setdefault(users, []).append(figures.rate)
    spent = {name: (after[name] - before[name]) / figures.good * 1e6 for name in way.programs}
    found.cpu.setdefault(users, []).append(spent)


def _latency(found: dict[str, Measured]) -> str:
    p50 = {name: one.p50[ONE] for name, one in found.items()}
    rate = {name: one.rate[MANY] for name, one in found.items()}
    over = {name: [a - b for a, b in zip(p50[name], p50[DIRECT], strict=True)] for name in found if name != DIRECT}
    rows = [
        ["p50 of one order, one user, ms", *(spread(p50[name], 2) for name in found), _ratio(p50)],
        ["what it adds to direct, ms", "-", *(spread(one, 2) for one in over.values()), _ratio(over)],
        ["orders a second, eight users", *(spread(rate[name], 0) for name in found), _ratio(rate)],
    ]
    return table(["median (least to most)", *found, "shopmesh to minimal (95 % interval)"], rows)


def _cpu(found: dict[str, Measured], users: int) -> str:
    """µs of CPU an order by program; the workloads that get no order are one row."""
    rows = []
    for name, chosen in _groups():
        cells = []
        by_way = {}
        for way, one in found.items():
            spent = [sum(cpu for program, cpu in each.items() if chosen(program)) for each in one.cpu[users]]
            by_way[way] = spent
            cells.append(f"{quantile(spent, 0.5):.0f}" if any(spent) else "-")
        both = any(by_way[MINIMAL]) and any(by_way[OURS])
        rows.append([name, *cells, _ratio(by_way) if both else "-"])
    heading = f"CPU µs an order, {'one user' if users == ONE else 'eight users'}"
    return table([heading, *found, "shopmesh to minimal (95 % interval)"], rows)


def _groups() -> list[tuple[str, Callable[[str], bool]]]:
    busy = [(f"{name} {kind}", f"{name} {kind}".__eq__) for kind in ("app", "envoy") for name in _BUSY]
    named = {name for name, _ in busy} | {CONTROL_PLANE, SUPERVISOR}
    return [
        *busy,
        ("other apps and Envoys", lambda program: program not in named),
        ("all five Envoys", lambda program: program.endswith(" envoy")),
        (CONTROL_PLANE, CONTROL_PLANE.__eq__),
        (SUPERVISOR, SUPERVISOR.__eq__),
        ("all", lambda program: True),
    ]


def _ratio(by_way: dict[str, list[float]]) -> str:
    return _with_interval(by_way[OURS], by_way[MINIMAL])


def _with_interval(ours: Sequence[float], theirs: Sequence[float]) -> str:
    least, most = ratio_interval(ours, theirs)
    return f"{quantile(ours, 0.5) / quantile(theirs, 0.5):.2f} ({least:.2f} to {most:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=18, help="pairs of the intervals; at least 15 mean something")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement; a round has six")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="a checkout that is measured beside this one")
    arguments = parser.parse_args()
    print(measure(arguments.rounds, arguments.seconds, arguments.before))


if __name__ == "__main__":
    main()
