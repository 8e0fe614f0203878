"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Lets Ctrl-C reach the programs that tests start: a shell starts what runs in its background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
