"""The search for garbage in a control plane."""

from __future__ import annotations

import gc

from shopmesh.server.garbage_collection import ALLOCATIONS, collect_less_often


def test_garbage_is_still_found_though_less_often() -> None:
    """What was imported is left out, the youngest wait for more allocations, and older ones are searched as before."""
    before = gc.get_threshold()
    try:
        collect_less_often()

        assert (ALLOCATIONS, *before[1:]) == gc.get_threshold()
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
