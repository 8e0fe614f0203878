"""The images: their sizes, and how long they take to build from nothing, after an edit, and to start as a mesh.

"From nothing" is without this machine's cache of layers; what packages come from is the cache of pip or the network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.mesh.running import answered
from tests.bench.report import spread, table
from tests.containers.stack import ROOT, SERVICES, Stack, docker
from tests.support.process import eventually

EDITED = ROOT / "services" / "chassis" / "__init__.py"


@contextmanager
def edited() -> Iterator[None]:
    """One more comment in a source that all services share."""
    before = EDITED.read_text()
    EDITED.write_text(f"{before}# {time.time()}\n")
    try:
        yield
    finally:
        EDITED.write_text(before)


def timed(stack: Stack, *arguments: str) -> float:
    began = time.perf_counter()
    stack.compose(*arguments, timeout=900)
    return time.perf_counter() - began


def measure(rounds: int) -> str:
    # With the stock image: what is measured is what its users have.
    stack = Stack(envoy=None)
    builds: dict[str, list[float]] = {"from nothing": [], "after an edit": [], "with nothing changed": []}
    first: list[float] = []
    try:
        for _ in range(rounds):
            builds["from nothing"].append(timed(stack, "build", "--no-cache"))
            with edited():
                builds["after an edit"].append(timed(stack, "build"))
            stack.compose("build", timeout=300)
            builds["with nothing changed"].append(timed(stack, "build"))
            began = time.perf_counter()
            stack.compose("up", "--detach", timeout=300)
            eventually(lambda: answered(stack.port), "the first answer", 60)
            first.append(time.perf_counter() - began)
            stack.compose("down", "--volumes", "--timeout", "0")
        sizes = {name: size(stack.image(name)) for name in ("proxy-init", "control-plane", *SERVICES)}
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)
    rows = [[f"{name}, MB", f"{bytes_ / 1e6:.0f}"] for name, bytes_ in sizes.items()]
    rows += [[f"all images, {what}, s", spread(seconds)] for what, seconds in builds.items()]
    rows.append(["`compose up` to the first answer, images there, s", spread(first)])
    return table(["", "median (least to most)"], rows)


def size(image: str) -> int:
    return int(json.loads(docker("image", "inspect", image))[0]["Size"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    print(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
