"""CPU by program, as the benchmarks report it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench.mesh.processes import children_of, cpu_seconds

CODE = """
import os, signal
child = os.fork()
if child == 0:
    while sum(os.times()[:2]) < 0.2:
        pass
    print(os.getpid(), flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the figures are in /proc")
def test_a_program_is_measured_with_its_children_but_not_with_other_programs() -> None:
    """A supervisor's figure is its own, gunicorn's is that of its workers as well."""
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, process_group=0) as parent:
        try:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            alone = cpu_seconds({"parent": parent.pid, "child": child})
            together = cpu_seconds({"parent": parent.pid})

            assert child in children_of(parent.pid)
            assert alone["child"] >= 0.15
            assert together["parent"] >= alone["parent"] + alone["child"]
        finally:
            subprocess.run(["kill", "-9", "--", f"-{parent.pid}"], check=True)
