"""Meshes that the API accepts, as Hypothesis draws them, for Envoy to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from shopmesh.appmesh.store import Document, Key
from tests.support.annotating import annotated
from tests.support.judging import refusal, snapshots
from tests.support.meshes import meshes
from tests.support.states import state_of


class Drawn(NamedTuple):
    """The resources of a mesh in an order in which they can be created, and their tags."""

    mesh: list[tuple[Key, Document]]
    tags: dict[Key, dict[str, str]]


@st.composite
def translatable(
    draw: st.DrawFn, name: str | None = None, node: str | None = None, gateway: str | None = None
) -> Drawn:
    """A mesh with annotations; its access logs go where every proxy can write. The names are as for `meshes`."""
    mesh = draw(meshes(name, node, gateway))
    for _, spec in mesh:
        _log_to_stdout(spec)
    nodes = [key.name for key, _ in mesh if key.kind == "virtualNode"]
    return Drawn(mesh, {key: draw(annotated(key, nodes)) for key, _ in mesh})


def judged(drawn: Drawn, folder: Path) -> tuple[int, str]:
    """How many proxies' configurations Envoy was shown, and why it would not take one (empty: it takes all)."""
    found = snapshots(state_of(drawn.mesh, lambda key: drawn.tags[key]))
    return len(found), refusal(found, folder)


def _log_to_stdout(value: Any) -> None:
    if isinstance(value, dict):
        if "accessLog" in value:
            value["accessLog"]["file"]["path"] = "/dev/stdout"
        for inner in value.values():
            _log_to_stdout(inner)
    elif isinstance(value, list):
        for inner in value:
            _log_to_stdout(inner)
