from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

_STARTS_A_PROCESS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
_forbidden = False


def _refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    if _forbidden and event in _STARTS_A_PROCESS:
        raise RuntimeError(f"a unit test starts a process ({event} {arguments[:1]}); move it to tests/contract")


sys.addaudithook(_refuse_processes)


@pytest.fixture(scope="module", autouse=True)
def _no_process() -> Iterator[None]:
    """Tests of this folder are of pure logic: what starts a process belongs to the contract tests."""
    global _forbidden
    _forbidden = True
    yield
    _forbidden = False
