"""The first hour of CONTRIBUTING.md, in a clone: what it shows is what a newcomer sees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.clones import ROOT, Clone
from tests.support.process import BIN


@pytest.mark.demo
def test_the_first_hour_is_as_the_page_says(clone: Clone) -> None:
    """One test runs, the message leads to its code, breaking it makes that test fail, and nothing is left behind."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    hour = page[page.index("## The first hour") : page.index("## How to add")]
    (clone.root / ".venv").mkdir()
    (clone.root / ".venv" / "bin").symlink_to(Path(BIN))

    said = clone.bash("\n".join(re.findall(r"^```sh\n(.*?)^```$", hour, re.MULTILINE | re.DOTALL)))

    for shown in re.findall(r"^```text\n(.*?)^```$", hour, re.MULTILINE | re.DOTALL):
        for line in shown.splitlines():
            # Numbers of tests and seconds differ from day to day.
            assert re.sub(r"\d+", "0", line.partition(" in ")[0]) in re.sub(r"\d+", "0", said), (line, said)
    assert "" == clone.git("status", "--porcelain")
