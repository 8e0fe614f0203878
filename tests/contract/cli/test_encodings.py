"""What commands write where the terminal's encoding lacks characters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import BIN


def write(encoding: str, code: str, *arguments: str) -> bytes:
    """The standard output of a Python program that writes in that encoding."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, check=True, capture_output=True, timeout=60
    ).stdout


CONSOLE = """
from shopmesh.output.encoding import write_any_character
from shopmesh.output.console import lossy_console
write_any_character()
lossy_console().print("\u2713 caf\u00e9 \u2192 \u2026 \U0001f600 \u2588", soft_wrap=True)
"""


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"+ caf\u00e9 -> ... \ud83d\ude00 #"),
        ("latin-1", b"+ caf\xe9 -> ... \\ud83d\\ude00 #"),
        ("utf-8", "\u2713 caf\u00e9 \u2192 \u2026 \U0001f600 \u2588".encode()),
    ],
)
def test_a_console_writes_the_nearest_character_that_the_terminal_has(encoding: str, shown: bytes) -> None:
    """Or an escape; text in UTF-8 stays as it is."""
    assert shown == write(encoding, CONSOLE).rstrip()


UP = """
import json, pathlib, sys
from shopmesh.local.processes.terminal import Terminal
from shopmesh.output.console import lossy_console
from shopmesh.output.encoding import write_any_character
write_any_character()
terminal = Terminal(lossy_console(), pathlib.Path(sys.argv[1]))
terminal.lines("order-vn-1 app", json.dumps({"level": "INFO", "message": "GET /caf\u00e9"}).encode() + b"\\n")
terminal.close()
"""


def test_a_request_s_path_does_not_end_up_on_an_ascii_terminal(tmp_path: Path) -> None:
    """Its line is shown as far as the terminal can; the log file has it as the program wrote it."""
    shown = write("ascii", UP, str(tmp_path / "log"))

    assert rb"INFO GET /caf\u00e9" in shown
    assert r"GET /caf\u00e9" in (tmp_path / "log").read_text(encoding="utf-8")


DOCUMENT = """
from shopmesh.cli.output import echo_document
from shopmesh.output.encoding import write_any_character
write_any_character()
echo_document("name: caf\u00e9 \u2026")
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_document_keeps_its_values(encoding: str) -> None:
    """It is written in UTF-8 where the terminal lacks a character: it must load again."""
    assert "name: caf\u00e9 \u2026".encode() == write(encoding, DOCUMENT).rstrip()


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", b"caf\\u00e9..."), ("utf-8", "caf\u00e9\u2026".encode())])
def test_a_command_names_a_file_that_the_terminal_cannot_show(encoding: str, shown: bytes, tmp_path: Path) -> None:
    """In the one line of its error."""
    command = subprocess.run(
        [BIN / "shopmesh", "apply", "--offline", "-f", str(tmp_path / "caf\u00e9\u2026")],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (command.returncode, command.stderr.count(b"\n")) == (1, 1)
    assert shown in command.stderr
