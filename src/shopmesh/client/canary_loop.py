"""Looking after a canary: renew its lease, look at what was counted, judge, and tell the control plane what to do.

Nothing is kept here that the control plane does not have: whoever has the owner's name may go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from shopmesh.canary import plan
from shopmesh.canary.judge import Counts, Verdict, judge
from shopmesh.client.client import Client
from shopmesh.client.errors import ResponseError, Unreachable
from shopmesh.client.types import Canary, Seen

LONGEST_OUTAGE = 600.0
"""Seconds without a control plane after which the command gives up; a lapsed canary can be resumed by another."""
LONGEST_PAUSE = 1.0
"""Seconds between two looks: Envoys report every second."""


def release(
    client: Client,
    route: Sequence[str],
    owner: str,
    tell: Callable[[Canary, Verdict | None], None],
    wait: Callable[[float], bool],
) -> Canary:
    """Looks after the canary of a route (mesh, router, name) until it has ended; how it ended.

    `tell` is called at each look; `wait` for so many seconds, and says whether somebody at the terminal wants to go on.
    Raises ResponseError when the canary is gone or another run looks after it, Unreachable after `LONGEST_OUTAGE`.
    """
    heard = time.monotonic()
    approved = False
    pause = LONGEST_PAUSE
    while True:
        try:
            found = client.canary(route, "renew", owner=owner)
            heard = time.monotonic()
            pause = min(LONGEST_PAUSE, found["lease"] / 3)
            if found["phase"] != "running":
                tell(found, None)
                return found
            verdict = _verdict(found)
            tell(found, verdict)
            if verdict.action == "turn back":
                client.canary(route, "turn back", reason=verdict.reason)
                continue
            if approved or (verdict.action == "go on" and not found["paused"] and not found["plan"]["manual"]):
                reason = verdict.reason if verdict.action == "go on" else "by hand"
                client.canary(route, "advance", stage=found["stage"], reason=reason)
                approved = False
                continue
        except (ResponseError, Unreachable) as error:
            passing = not isinstance(error, ResponseError) or error.status >= 500
            if not passing or time.monotonic() - heard > LONGEST_OUTAGE:
                raise
        approved = wait(pause)


def _verdict(found: Canary) -> Verdict:
    seen = found["seen"]
    elapsed = found["now"] - found["since"]
    canary, stable = _counts(seen["canary"]), _counts(seen["stable"])
    verdict = judge(plan.read(found["plan"]), found["stage"], canary, stable, elapsed)
    replicas = found.get("replicas", {"asked": 1, "answered": 1})
    if verdict.action == "go on" and replicas["answered"] < replicas["asked"]:
        # What speaks against it may be what is missing.
        answered = f"{replicas['answered']} of {replicas['asked']} replicas of the control plane answered"
        return Verdict("wait", answered)
    return verdict


def _counts(seen: Seen) -> Counts:
    return Counts(seen["requests"], seen["errors"], seen["slower"], seen["p99"])
