"""From `shopmesh up` to the first answer through the mesh: control plane, five services, five Envoys."""

from __future__ import annotations

import argparse

from tests.bench.mesh.running import mesh
from tests.bench.report import spread, table


def measure(starts: int) -> str:
    seconds = []
    for _ in range(starts):
        with mesh() as running:
            seconds.append(running.started)
    return table(["starts", "seconds to the first answer: median (least to most)"], [[starts, spread(seconds, 2)]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=7)
    print(measure(parser.parse_args().starts))


if __name__ == "__main__":
    main()
