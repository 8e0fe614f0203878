"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_STATE = tempfile.TemporaryDirectory(prefix="shopmesh-state-", ignore_cleanup_errors=True)
DEMO = (
    *("tests/contract/kubernetes/", "tests/e2e/kubernetes/", "tests/k8s/test_injection", "tests/k8s/test_policy"),
    *(f"tests/unit/kubernetes/test_{name}" for name in ("endpoints", "status", "store")),
    "tests/unit/cli/test_doctor_offline",
    *(
        "tests/containers/",
        "tests/e2e/docs/",
        "tests/e2e/local/",
        "tests/contract/cli/",
        "tests/contract/control_plane/",
    ),
    *("tests/contract/load/", "tests/contract/local/"),
    *(f"tests/contract/services/test_{name}" for name in ("answers", "control", "logs", "peers", "stop", "tracing")),
)
"""Where all tests need order, product and customer; elsewhere those that do are marked."""
LONGEST = (
    # What measures a rate begins beside what waits for clocks, and not beside what computes.
    "tests/contract/load/test_find_limit.py",
    "tests/contract/kubernetes/test_leader_election.py",
    "tests/contract/kubernetes/test_status.py",
    "tests/contract/load/test_find_limit_bounds.py",
    "tests/contract/resolved/test_mutations.py",
    "tests/contract/services/test_peers.py",
    "tests/contract/api/test_terraform.py",
    "tests/contract/services/test_tracing.py",
    "tests/template/test_empty.py",
    "tests/template/test_services.py",
)
"""Files that begin first. Of a long one that begins last the rest would run while the other workers have nothing."""


def pytest_configure() -> None:
    """Lets Ctrl-C reach the programs that tests start: a shell starts what runs in its background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # What a command outside of any project keeps goes here, and not to the user who runs the tests.
    os.environ["XDG_STATE_HOME"] = _STATE.name


def pytest_unconfigure() -> None:
    _STATE.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest files, and skips what is about the demo in a project that has removed it."""
    order = {str(ROOT / name): number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(str(item.path), len(order)))
    removed = [name for name in ("order", "product", "customer") if not (ROOT / "services" / name / "app.py").exists()]
    if removed:
        skip = pytest.mark.skip(reason=f"it is about the demo, and {removed[0]} was removed")
        for item in items:
            if item.get_closest_marker("demo") or item.nodeid.startswith(DEMO):
                item.add_marker(skip)
