"""The log of a mesh on this machine, read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from shopmesh.cli import main
from shopmesh.local.processes.log_file import LOG_FILE, read_last_lines

LINES = """\
2026-11-30T10:00:00 control-plane: ready
2026-11-30T10:00:01 product-vn-1 app: {"level": "INFO", "message": "GET /", "status": 200, "ms": 1.5}
2026-11-30T10:00:02 product-vn-2 envoy: [2026-11-22 22:12:06.418][7][warning][main] [a.cc:1] late: by 3 s
a line that is none
2026-11-30T10:00:03 product-v2-vn-1 app: started
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / LOG_FILE).write_text(LINES)
    return tmp_path / LOG_FILE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "product-vn",
            ["product-vn-1 app | INFO GET / status=200 ms=1.5", "product-vn-2 envoy | WARNING late: by 3 s"],
        ),
        ("product-vn-2", ["product-vn-2 envoy | WARNING late: by 3 s"]),
        ("product-v2-vn-1 app", ["product-v2-vn-1 app | started"]),
        ("control-plane", ["control-plane | ready"]),
        ("product", []),
    ],
)
def test_a_node_an_instance_or_a_program_chooses_its_lines(log: Path, name: str, expected: list[str]) -> None:
    """In the form of the terminal, each with its time."""
    found = read_last_lines(log, name, 10)

    assert expected == [line.split(" ", 1)[1] for line in found.lines]
    assert {"control-plane", "product-vn", "product-v2-vn"} == found.nodes


def test_only_the_last_lines_are_kept_and_the_older_file_comes_first(log: Path) -> None:
    """A log that was just rotated still has its last lines."""
    log.with_name(LOG_FILE + ".1").write_text("2026-11-30T09:00:00 order-vn-1 app: before\n")

    assert ["2026-11-30T09:00:00 order-vn-1 app | before"] == read_last_lines(log, "order-vn", 1).lines
    assert ["2026-11-30T10:00:03 product-v2-vn-1 app | started"] == read_last_lines(log, None, 1).lines


def test_a_name_without_lines_is_answered_with_one_that_has_some(log: Path) -> None:
    """So is a folder without a log: with the command that makes one."""

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["logs", *arguments])
        return result.exit_code, result.output

    assert (0, "2026-11-30T10:00:00 control-plane | ready\n") == run("control-plane", "--run-dir", str(log.parent))
    status, said = run("product-v1", "--run-dir", str(log.parent))
    assert 1 == status
    assert "no line of 'product-v1'; did you mean 'product-vn'?" in said
    assert "start a mesh with `shopmesh up`" in run("--run-dir", str(log.parent / "none"))[1]
