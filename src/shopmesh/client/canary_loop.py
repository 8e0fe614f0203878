"""Runs a canary: renews its lease, judges its counts, and asks the control plane to advance or roll back.

It keeps no state of its own: another process with the same owner can continue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from shopmesh.canary.judge import Verdict, judge_document, may_advance
from shopmesh.client.client import Client
from shopmesh.client.errors import ResponseError, UnreachableError
from shopmesh.client.types import CanaryStatus

MAX_OUTAGE = 600.0
"""Seconds without a control plane after which the command gives up; an expired canary can be resumed."""
POLL_SECONDS = 1.0
"""Seconds between two renewals: Envoys report every second."""


def run_canary(
    client: Client,
    route: Sequence[str],
    owner: str,
    report: Callable[[CanaryStatus, Verdict | None], None],
    wait: Callable[[float], bool],
) -> CanaryStatus:
    """Runs the canary of a route (mesh, router, name) until it ends; returns its last status.

    `report` is called after each renewal of the lease; `wait` sleeps for that many seconds and returns whether the
    operator asked to advance. Raises ResponseError when the canary is gone or another run owns it, UnreachableError
    after `MAX_OUTAGE`.
    """
    answered_at = time.monotonic()
    approved = False
    pause = POLL_SECONDS
    while True:
        try:
            found = client.canary(route, "renew", owner=owner)
            answered_at = time.monotonic()
            pause = min(POLL_SECONDS, found["lease"] / 3)
            if found["phase"] != "running":
                report(found, None)
                return found
            verdict = judge_document(found)
            report(found, verdict)
            if verdict.action == "roll back":
                client.canary(route, "roll back", reason=verdict.reason)
                continue
            if approved or (verdict.action == "advance" and may_advance(found)):
                reason = verdict.reason if verdict.action == "advance" else "by hand"
                client.canary(route, "advance", stage=found["stage"], reason=reason)
                approved = False
                continue
        except (ResponseError, UnreachableError) as error:
            passing = not isinstance(error, ResponseError) or error.status >= 500
            if not passing or time.monotonic() - answered_at > MAX_OUTAGE:
                raise
        approved = wait(pause)
