"""One cluster with one control plane for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kubernetes.running import Pod, Story, story


@pytest.fixture(scope="module")
def told() -> Iterator[Story]:
    with story() as made:
        made.control_plane()
        yield made


@pytest.fixture(scope="module")
def product(told: Story) -> Pod:
    """The one pod of product 1.0."""
    (pod,) = told.workload("product", "product-vn", "1.0")
    return pod
