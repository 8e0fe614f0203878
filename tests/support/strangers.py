"""Another user of this machine, as a process that has become `nobody`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_NOBODY = 65534
# The interpreter may be where that user cannot start it, so it becomes that user afterwards.
_BECOME = f"""
import os, socket, sys
os.setgroups([])
os.setgid({_NOBODY})
os.setuid({_NOBODY})
"""
_CONNECT = """
for path in sys.argv[1:]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""
_READ = """
for path in sys.argv[1:]:
    try:
        open(path, "rb").close()
        print("opened")
    except OSError as error:
        print(type(error).__name__)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def connecting(sockets: Sequence[Path]) -> set[str]:
    """What that user gets who connects to these sockets."""
    return _as_nobody(_CONNECT, sockets)


def opening(files: Sequence[Path]) -> set[str]:
    """What that user gets who opens these files."""
    return _as_nobody(_READ, files)


def _as_nobody(program: str, paths: Sequence[Path]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _BECOME + program, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(done.stdout.split())
