"""The spellings of the seven kinds that commands accept."""

from __future__ import annotations

import difflib

import click

from shopmesh.appmesh.kinds import KINDS

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


class KindType(click.ParamType[str]):
    """`virtualNode`, `VirtualNodes`, `virtual-node`, `node`, `vn` → virtualNode."""

    name = "KIND"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = {kind.lower(): kind for kind in KINDS} | SHORT_NAMES
        known |= {kind.plural.lower(): kind.name for kind in KINDS.values()}
        known |= {f"{short}s": kind for short, kind in SHORT_NAMES.items() if len(short) > 2}
        word = value.lower().replace("-", "").replace("_", "").replace(" ", "")
        if word in known:
            return known[word]
        close = difflib.get_close_matches(word, known, n=1)
        hint = f"did you mean {known[close[0]]}?" if close else f"the kinds are {', '.join(KINDS)}"
        raise click.BadParameter(f"{value!r} is not a kind of App Mesh; {hint}", ctx, param)
