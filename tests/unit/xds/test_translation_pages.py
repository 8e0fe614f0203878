"""docs/translation shows what the translation does."""

from __future__ import annotations

import re

import pytest

from tests.translations import FOLDER, Pair, pairs, translation


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.feature)
def test_the_page_shows_the_translation(pair: Pair) -> None:
    """Whoever changes the translation sees in `envoy.yaml` what becomes different, feature by feature."""
    assert translation(pair) == pair.envoy_file.read_text(), "write it anew with `make translations`, and read the diff"


def test_the_index_has_each_pair_once() -> None:
    """A line of the table leads to each folder, in the page's own order."""
    linked = re.findall(r"→ \[envoy\]\(([a-z0-9-]+)/envoy\.yaml\)", (FOLDER / "README.md").read_text())

    assert sorted(linked) == [pair.feature for pair in pairs()]
