"""A clone for each file of tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.clones import Clone


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    folder = tmp_path_factory.mktemp("clone")
    yield Clone(folder)
    shutil.rmtree(folder, ignore_errors=True)
