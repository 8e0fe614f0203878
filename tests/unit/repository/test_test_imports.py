"""What tests share stands in modules that hold no tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.repository import ROOT

TEST_MODULE = re.compile(r"(^|\.)test_\w+(\.|$)")


def imports(source: str) -> Iterator[str]:
    """The modules that this source imports, and the names that it takes from them, as `module.name`."""
    for found in ast.walk(ast.parse(source)):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            yield from (f"{found.module or ''}.{alias.name}" for alias in found.names)


@pytest.mark.parametrize(
    "source",
    [
        "import tests.unit.test_a",
        "from tests.unit.test_a import b",
        "from tests.unit import test_a",
        "from . import test_a",
    ],
)
def test_an_import_of_a_test_module_is_recognized(source: str) -> None:
    """However it is written."""
    assert [source] == [source for name in imports(source) if TEST_MODULE.search(name)]


def test_no_module_imports_a_test_module() -> None:
    """What several tests need is in tests/support or in a module beside them, so that a test file can change alone."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in imports(path.read_text())
        if TEST_MODULE.search(name)
    }

    assert len(files) > 100
    assert set() == found
