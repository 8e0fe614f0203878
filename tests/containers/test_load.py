"""A load from several containers."""

from __future__ import annotations

import pytest

from tests.containers.stack import Stack


@pytest.mark.timeout(300)
def test_several_containers_send_and_one_has_the_verdict(stack: Stack) -> None:
    """Two workers without any key; the master asks for the weights, and its exit status is the verdict over both."""
    load = ("run", "--rm", "-T", "--use-aliases", "load", "--headless", "--users", "60", "--spawn-rate", "60")
    # The first two promises are kept; the third cannot be.
    promises = ("--assert-split", "--assert-errors", "0", "--assert-p99", "0.000001")
    try:
        with pytest.raises(AssertionError) as ended:
            stack.compose(*load, "--run-time", "4s", "--only-summary", *promises)
    finally:
        stack.compose("rm", "--stop", "--force", "load-worker", check=False)

    said = str(ended.value)
    rows = [line for line in said.splitlines() if line.startswith("product/1.0")]
    complaints = [line for line in said.splitlines() if line.startswith("  - ")]
    assert "2 workers connected" in said
    assert rows, said
    assert int(rows[0].split()[1]) > 0
    assert 1 == len(complaints), said
    assert "p99 of all requests is" in complaints[0]
    assert "exit code 1" in said
