"""Time-outs stand at both ends of a call, and the shorter one ends it (feature 19).

What people wrote on a route and did not get, because the listener behind it has 15 s where nothing is written, was
App Mesh's most heated thread (https://github.com/aws/aws-app-mesh-roadmap/issues/53).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shopmesh.appmesh.store import Document
from shopmesh.xds.durations import REQUEST_TIMEOUT_MS, length_ms
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.targets import Target

_IDLE_MS = 300_000
_TCP_IDLE_MS = 3_600_000


class Cut(NamedTuple):
    """A time-out (`perRequest` or `idle`) that a route writes, 0 for none, and what its target's listener allows."""

    name: str
    asked_ms: int
    allowed_ms: int
    written: bool


def cut_short(route: Document, listener: Document, protocol: str) -> Iterator[Cut]:
    """Of the `timeout` of a route and of a listener, without their protocol: where the listener ends it earlier."""
    defaults = {"idle": _TCP_IDLE_MS} if protocol == "tcp" else {"perRequest": REQUEST_TIMEOUT_MS, "idle": _IDLE_MS}
    for name, default in defaults.items():
        if name not in route:
            continue
        asked = length_ms(route[name])
        allowed = length_ms(listener[name]) if name in listener else default
        if allowed and (asked == 0 or asked > allowed):
            yield Cut(name, asked, allowed, name in listener)


def limitations(where: str, route: Document, targets: Mapping[Target, Document]) -> Iterator[Limitation]:
    """Of the `timeout` of a route and of each target's listener; of requests the documents' own findings tell."""
    for target, listener in targets.items():
        timeouts = (listener.get("timeout") or {}).get(target.protocol) or {}
        for cut in cut_short(route, timeouts, target.protocol):
            if cut.name == "perRequest":
                continue
            asked = f"for {_seconds(cut.asked_ms)}" if cut.asked_ms else "for ever"
            field = f"timeout.{target.protocol}.{cut.name}"
            yield Limitation(
                where,
                f"waits {asked} ({cut.name}), and the listener of {target.node} on port {target.port} for "
                f"{_seconds(cut.allowed_ms)}" + ("" if cut.written else ", as it does where nothing is written"),
                "the shorter of the two ends the call",
                f"write {field} on that listener, as long or longer, or 0 for none",
            )


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g} s"
