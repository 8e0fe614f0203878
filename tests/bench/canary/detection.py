"""What a bad version costs before it is found, on real Envoys: by `shopmesh canary`, and by a plain switch to 50 %.

product 2.0 fails a share of its requests by its own faults. A plain switch loses requests until somebody notices; here
it lasts as long as the canary's plan would take, which is what nobody watching costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
from collections.abc import Sequence

from shopmesh.load.engine.open_loop import steady
from tests.bench.mesh.running import Mesh, mesh
from tests.bench.report import spread, table
from tests.support.access import environment_of
from tests.support.faults import fault
from tests.support.process import BIN

SHARES = (0.01, 0.05, 0.2, 1.0)
STEPS = "5,10,25,50"
TURNED_BACK, FAILED, NEVER = 3, 1, "never"


def measure(rounds: int, rate: float, shares: Sequence[float], every: float) -> str:
    """For each share of errors: seconds and lost requests of the canary, and what the plain switch lost."""
    rows = []
    plan_seconds = every * len(STEPS.split(","))
    with mesh() as running:
        running.child.wait_for(lambda: "Ctrl-C" in running.child.output, "the ports of the faults")
        for share in shares:
            fault(running.run_folder, "product-v2-vn-1", errorShare=share)
            found = [_canary(running, rate, every) for _ in range(rounds)]
            back = [(seconds, lost) for status, seconds, lost in found if status == TURNED_BACK]
            rows.append(
                [
                    f"{100 * share:g} %",
                    f"{len(back)} of {rounds}",
                    spread([seconds for seconds, _ in back]) if back else NEVER,
                    spread([float(lost) for _, lost in back], 0) if back else NEVER,
                    _switched(running, rate, plan_seconds),
                ]
            )
            running.weigh("product", product_vn=100, product_v2_vn=0)
    plain = f"lost by a plain switch to 50 % in {plan_seconds:g} s"
    head = ["errors of the new version", "rolled back", "seconds until then", "requests lost until then", plain]
    return table(head, rows)


def _canary(running: Mesh, rate: float, every: float) -> tuple[int, float, int]:
    """Exit status, seconds from the first weight to the last, and requests that users lost."""
    running.weigh("product", product_vn=100, product_v2_vn=0)
    environment = {**os.environ, **environment_of(running.run_folder, running.api_port)}
    command = [BIN / "shopmesh", "canary", "product", "--to", "product-v2-vn"]
    options = ["--steps", STEPS, "--every", f"{every}s", "--patience", "60s"]

    async def story() -> tuple[int, int]:
        engine = steady(f"http://127.0.0.1:{running.way_in}/", rate)
        await engine.start()
        done = await asyncio.to_thread(
            subprocess.run, [*map(str, command), *options], env=environment, stdout=subprocess.DEVNULL, check=False
        )
        tally = await engine.stop()
        return done.returncode, tally.bad

    status, lost = asyncio.run(story())
    if status == FAILED:
        raise RuntimeError("shopmesh canary failed; see above")
    [found] = [one for one in running.client.canaries() if one["route"] == "product-r"]
    history = found["history"]
    return status, history[-1]["until"] - history[0]["since"], lost


def _switched(running: Mesh, rate: float, seconds: float) -> int:
    async def story() -> int:
        engine = steady(f"http://127.0.0.1:{running.way_in}/", rate, seconds)
        await engine.start()
        await asyncio.to_thread(running.weigh, "product", product_vn=50, product_v2_vn=50)
        await engine.wait_finished()
        return (await engine.stop()).bad

    return asyncio.run(story())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of errors of the new version")
    parser.add_argument("--every", type=float, default=5.0, help="seconds of a step")
    arguments = parser.parse_args()
    print(measure(arguments.rounds, arguments.rate, arguments.shares, arguments.every))


if __name__ == "__main__":
    main()
