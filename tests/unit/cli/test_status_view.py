"""The mesh at a glance."""

from __future__ import annotations

import pytest
from rich.console import Console

from shopmesh.cli.views.status_view import MeshStatus, render
from shopmesh.client.types import ReplicaCounts, RouteSplits


@pytest.mark.parametrize(
    ("replicas", "told"),
    [(None, False), ({"asked": 2, "answered": 2}, False), ({"asked": 3, "answered": 1}, True)],
)
def test_it_says_when_it_is_not_the_word_of_all_replicas(replicas: ReplicaCounts | None, told: bool) -> None:
    """Which one, and why, is a finding; programs are told in any case."""
    splits: RouteSplits = {"window": 10.0, "splits": []}
    if replicas is not None:
        splits["replicas"] = replicas
    glance = MeshStatus("shop", "http://127.0.0.1:9080", [], splits, [], [])
    screen = Console(width=100, color_system=None)
    with screen.capture() as captured:
        screen.print(render(glance, 100))

    assert told == ("only 1 of 3 replicas of the control plane answered" in captured.get())
    assert replicas == glance.to_document().get("replicas")
