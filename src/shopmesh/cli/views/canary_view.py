"""Shows a canary: a line for each finished stage, one for its end, and on a terminal a live status line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from shopmesh.canary.judge import Verdict
    from shopmesh.client.types import CanaryStatus, PastStage, StageCounts

_ENDED = {
    "promoted": ("promoted", "green"),
    "rolled_back": ("rolled back", "red"),
    "expired": ("rolled back", "red"),
    "stopped": ("stopped", "yellow"),
}


class CanaryView:
    """Prints what is new at each update; a terminal has a live status line as well."""

    def __init__(self, console: Console, live: bool = True) -> None:
        self._console = console
        self._status = console.status("") if live and console.is_terminal else None
        self._stages_shown = 0
        self._state: Any = None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, found: CanaryStatus, verdict: Verdict | None) -> None:
        """Prints what happened since the last update."""
        if self._state is None:
            self._print((found["service"], "bold"), f": {found['plan']['to']}, {_format_limits(found)}")
        for past in found["history"][self._stages_shown :]:
            self._print(f"  {past['stage']:>6}  {_format_past_stage(past)}")
        self._stages_shown = len(found["history"])
        state = (found["stage"], found["phase"], found["paused"])
        if state != self._state:
            self._state = state
            if found["phase"] != "running":
                self._print(_ENDED.get(found["phase"], (found["phase"], "yellow")), f": {found['reason']}")
                self._print(f"{found['plan']['to']} gets {_format_share(found)}")
            elif self._status is None:
                self._print(f"  {found['called']:>6}  {'paused' if found['paused'] else 'starts'}")
        if self._status is not None and found["phase"] == "running":
            self._status.update(Text(_format_current_stage(found, verdict)))

    def _print(self, *parts: str | tuple[str, str]) -> None:
        self._console.print(Text.assemble(*parts), soft_wrap=True)


def _format_limits(found: CanaryStatus) -> str:
    plan = found["plan"]
    steps = ", ".join(str(step) for step in (*plan["steps"], 100))
    bounds = [f"errors up to {plan['maxErrorRate']}"] if plan["maxErrorRate"] else []
    bounds += [f"p99 up to {plan['maxP99'].replace('.0ms', ' ms')}"] if "maxP99" in plan else []
    return f"{steps} %" + (f"; {', '.join(bounds)}" if bounds else "")


def _format_past_stage(past: PastStage) -> str:
    taken = f"{past['until'] - past['since']:.0f} s"
    if "canary" not in past:
        return f"{taken}: {past['verdict']}"
    return (
        f"{taken}, canary {_format_counts(past['canary'])}, stable {_format_counts(past['stable'])}: {past['verdict']}"
    )


def _format_current_stage(found: CanaryStatus, verdict: Verdict | None) -> str:
    seconds = found["now"] - found["since"]
    seen = found["seen"]
    counts = f"canary {_format_counts(seen['canary'])}, stable {_format_counts(seen['stable'])}"
    text = f"{found['called']}  {seconds:.0f} s, {counts}"
    if verdict is not None:
        ready = verdict.action == "advance" and found["plan"]["manual"]
        text += ": press Enter or use --promote to continue" if ready else f": {verdict.reason}"
    return text + (" (paused)" if found["paused"] else "")


def _format_counts(seen: StageCounts) -> str:
    p99 = "" if seen["p99"] is None else f" (p99 {seen['p99']:g} ms)"
    return f"{seen['errors']} of {seen['requests']} failed{p99}"


def _format_share(found: CanaryStatus) -> str:
    if found["phase"] == "stopped":
        return "the present weight of the route"
    return "all requests" if found["phase"] == "promoted" else "no requests; the previous weights are restored"
