from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.xds.running import Mesh, Upstream


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    """A control plane in a thread of this process, with an empty store."""
    with Mesh() as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream("v1") as running:
        yield running
