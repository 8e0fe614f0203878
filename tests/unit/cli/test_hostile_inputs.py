"""Files that commands read beside documents: what is hostile in them is refused in one sentence, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from shopmesh.cli import main

DEEP = "to: " + "[" * 100_000
BOOTSTRAP = ("bootstrap", "virtualNode/a", "--instance", "a")


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("canary", "product", "--plan", "FILE"), ""),
        (BOOTSTRAP, "ENVOY_STATS_CONFIG_FILE"),
        (BOOTSTRAP, "ENVOY_STATS_SINKS_CFG_FILE"),
        (("inject", "-f", "FILE"), ""),
        (("apply", "--offline", "-f", "FILE"), ""),
        (("doctor", "-f", "FILE"), ""),
    ],
)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"a: b\n{DEEP}".encode(), "line 2: it is nested deeper than 64 levels"),
        (b"to: a\nto: b\n", "line 2: 'to' is given twice; keep one"),
        (b"to: a\nevery: 1.0e+999\n", "line 2: the number '1.0e+999' is beyond all bounds"),
        (b"to: a\n\x00", "line 2: this is not text: it holds the character U+0000"),
        (b"to: a\nevery: \xff\n", "line 2: this is not UTF-8 text"),
        (b"x" * (17 << 20), "is larger than"),
    ],
    ids=["deep", "twice", "number", "binary", "encoding", "large"],
)
def test_a_hostile_file_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], variable: str, content: bytes, reason: str
) -> None:
    """By every command that reads one, without a traceback."""
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    asked = [str(file) if word == "FILE" else word for word in arguments]

    result = CliRunner().invoke(main, asked, env={variable: str(file)} if variable else {})

    assert result.exit_code in (1, 2)
    assert f"{file}" in result.output
    assert reason in result.output
    assert "Traceback" not in result.output


def test_a_report_of_a_load_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """As any other file that is no report."""
    file = tmp_path / "load.json"
    file.write_text("[" * 100_000)

    result = CliRunner().invoke(main, ["load", "compare", str(file), str(file)])

    assert 1 == result.exit_code
    assert f"error: {file} is nested deeper than 64 levels\n" == result.output
