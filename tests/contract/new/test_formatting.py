"""What `shopmesh new` makes is what ruff would leave as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shopmesh.new.names import MAX_NAME_LENGTH
from tests.support.process import BIN
from tests.support.templates import templates

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("calls", [(), ("product",), tuple(f"p{number}{'x' * 18}" for number in range(8))])
@pytest.mark.parametrize("name", ["b", "aardvark", "inventory", "z" * MAX_NAME_LENGTH])
def test_what_is_made_is_formatted(tmp_path: Path, name: str, calls: tuple[str, ...]) -> None:
    """By ruff's rules, however long the names are and however many are called."""
    first, later = templates(name, calls=calls), templates(name, "12.34", calls=calls)
    made = (
        first.render_folder("python")
        | later.render_folder("python-later")
        | templates(name, language="node", calls=calls).render_folder("node")
    )
    made |= {"pyproject.toml": (ROOT / "pyproject.toml").read_text()}
    for path, text in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    # What is there decides which imports are the project's own.
    for path in ("services/chassis", "tests/support", "tests/contract/services/peers.py"):
        (tmp_path / path).symlink_to(ROOT / path)
    for command in (("format", "--diff"), ("check",)):
        ruff = [BIN / "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert 0 == done.returncode, done.stdout + done.stderr
