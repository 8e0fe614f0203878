"""A fixed set of the fuzzer's connections; `make fuzz-frames` plays ten million frames."""

from __future__ import annotations

import pytest

from tests.contract.carriers.fuzzing import fuzz


@pytest.mark.parametrize("seed", [1, 100_000, 200_000, 300_000])
async def test_no_order_of_frames_breaks_a_promise(seed: int) -> None:
    """No window is exceeded, no stream used after its end, no session called while it waits; each is closed once."""
    assert await fuzz(25_000, seed) > 10
