"""What the control plane sends and what the pages read of it have the same names."""

from __future__ import annotations

from shopmesh.console.live import collections
from tests.support.console_browser import Tabs


def test_pages_read_all_collections_that_are_sent(console_alone: Tabs) -> None:
    assert sorted(collections.NAMES) == sorted(console_alone.open().module("data/collections.js", "module.NAMES"))
