"""`shopmesh load` without a control plane, and answers of two versions."""

from __future__ import annotations

import subprocess
import sys

from tests.support.answering import ok
from tests.support.process import free_port

SHOPMESH = (sys.executable, "-c", "from shopmesh.cli import main; main()")
FIRST = ok({"x-service-version": "product/1.0"})
SECOND = ok({"x-service-version": "product/2.0"})


def shopmesh(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """The result of a command; no control plane is there."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    command = [*SHOPMESH, "--endpoint-url", endpoint, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
