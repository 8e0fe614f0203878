"""What the tests of this folder may not do."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_a_unit_test_cannot_start_a_process() -> None:
    """Whoever tries is told where the test belongs."""
    with pytest.raises(RuntimeError, match="move it to tests/contract"):
        subprocess.run([sys.executable, "--version"], check=False)
