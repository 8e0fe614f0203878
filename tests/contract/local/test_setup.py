"""`make setup` ends with what to do next; the targets that need it do not repeat that."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.repository import ROOT


@pytest.mark.parametrize(("target", "said"), [("setup", True), ("demo", False), ("up", False)])
def test_setup_says_what_to_do_next(target: str, said: bool) -> None:
    """By the commands that make would run, the last one of `setup`."""
    command = ["make", "--dry-run", "--no-print-directory", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert said == ("`make demo` plays the webinar" in done.stdout.splitlines()[-1])
    assert said == ("ready:" in done.stdout)
