"""What the mesh costs: the same order with and without sidecars, in rounds that alternate.

With: one request crosses five Envoys. Without: the same three applications call each other directly.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from tests.bench.mesh.compared import compared
from tests.bench.mesh.running import answered, mesh
from tests.support.process import BIN, free_port, running


@contextlib.contextmanager
def direct() -> Iterator[int]:
    """The three first versions without sidecars; order's port."""
    ports = {name: free_port() for name in ("order", "product", "customer")}
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in ("product", "customer")}
    with contextlib.ExitStack() as stack:
        for name, port in ports.items():
            command = [str(BIN / "gunicorn"), "-c", "services/gunicorn.conf.py", f"services.{name}.app:create_app()"]
            child = stack.enter_context(running(command, {"PORT": str(port), **urls}))
            child.wait_for(lambda port=port: answered(port, "/readyz"), f"{name} ready", 20)  # type: ignore[misc]  # bound
        yield ports["order"]


def measure(rounds: int, seconds: float) -> str:
    """Latency with one user, requests a second with eight; each round measures both ways one after the other."""
    with direct() as without, mesh() as meshed:
        return compared({"without sidecars": without, "with": meshed.way_in}, rounds, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    print(measure(arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
