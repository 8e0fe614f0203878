"""Debian's chromium: one for all tests of pages, since playwright cannot be driven twice in one process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")

playwright = pytest.importorskip("playwright.sync_api", reason="`make test-browser` installs playwright")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests of this folder where there is no chromium, but not in a pipeline."""
    if CHROMIUM is None and "CI" not in os.environ:
        for item in items:
            if "tests/browser" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="there is no chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # As root, which containers are, chromium has no sandbox. A name that somebody has resolve to this machine.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP rebinding.example 127.0.0.1"]
        started = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()
