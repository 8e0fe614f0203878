from __future__ import annotations

from collections.abc import Iterator

import pytest

from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from tests.e2e.xds.running import Mesh, Upstream


@pytest.fixture
def host_policy() -> HostPolicy:
    """What the operator of `mesh` allows; tests that need more have a fixture of that name."""
    return STRICT


@pytest.fixture
def mesh(host_policy: HostPolicy) -> Iterator[Mesh]:
    """A control plane in a thread of this process, with an empty store."""
    with Mesh(host_policy) as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream("v1") as running:
        yield running
