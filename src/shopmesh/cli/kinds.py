"""The spellings of the seven kinds that commands accept."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from shopmesh.appmesh.kinds import KINDS
from shopmesh.cli.suggestions import closest

SHORT_NAMES = {
    "vn": "virtualNode",
    "node": "virtualNode",
    "vr": "virtualRouter",
    "router": "virtualRouter",
    "vs": "virtualService",
    "service": "virtualService",
    "vg": "virtualGateway",
    "gateway": "virtualGateway",
    "gr": "gatewayRoute",
}


def known_kind(word: str) -> str | None:
    """The kind that a word spells, None if it spells none."""
    return _spellings().get(_normalise(word))


def _spellings() -> dict[str, str]:
    found = {kind.lower(): kind for kind in KINDS} | SHORT_NAMES
    found |= {kind.plural.lower(): kind.name for kind in KINDS.values()}
    return found | {f"{short}s": kind for short, kind in SHORT_NAMES.items() if len(short) > 2}


def _normalise(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")


class KindType(click.ParamType[str]):
    """`virtualNode`, `VirtualNodes`, `virtual-node`, `node`, `vn` → virtualNode."""

    name = "KIND"

    def __init__(self, every: str | None = None) -> None:
        """`every` is a word that stands for all kinds, if there is one; it is returned as it is."""
        self._every = every

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        words = [*KINDS, *([self._every] if self._every else [])]
        return [CompletionItem(word) for word in words if word.lower().startswith(incomplete.lower())]

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = _normalise(value)
        if word == self._every:
            return word
        if (kind := known_kind(value)) is not None:
            return kind
        known = _spellings()
        close = closest(word, known)
        hint = f"did you mean {known[close]}?" if close else f"the kinds are {', '.join(KINDS)}"
        raise click.BadParameter(f"{value!r} is not a kind of App Mesh; {hint}", ctx, param)
