"""The table of command operators says what Envoy says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from shopmesh.appmesh.rules.operators import WITHOUT_ARGUMENT
from tests.e2e.xds.running import envoy_command
from tests.support.log_formats import ACCEPTED, REFUSED


def said(text: str, tmp_path: Path) -> str:
    """What Envoy has against this format of an access log."""
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/null",
            "log_format": {"text_format_source": {"inline_string": text}},
        },
    }
    file = tmp_path / "bootstrap.json"
    file.write_text(json.dumps({"admin": {"access_log": [log]}}))
    command = [str(part) for part in envoy_command(file, "--mode", "validate")]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stderr


def test_envoy_takes_all_that_pass(tmp_path: Path) -> None:
    """Every name in the table, and every example."""
    assert "" == said(" ".join((*ACCEPTED, *(f"%{name}%" for name in sorted(WITHOUT_ARGUMENT)))), tmp_path)


@pytest.mark.parametrize("text", REFUSED)
def test_envoy_refuses_all_that_do_not(text: str, tmp_path: Path) -> None:
    """So nothing is refused for nothing."""
    assert "error initializing configuration" in said(text, tmp_path)
