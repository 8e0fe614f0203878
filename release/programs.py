"""Other programs, and the one error of this folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class ReleaseError(Exception):
    """Why there is no release, in one sentence for the person at the terminal."""


def run(
    *command: str | Path,
    folder: Path,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> str:
    """What a program prints. Raises ReleaseError with its last words when it fails, is missing or takes too long."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=stdin,
            env={**os.environ, **(variables or {})},
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        raise ReleaseError(f"{name} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"{name} did not end within {seconds:g} s") from error
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ReleaseError(f"{name} failed: {words[-2000:] or f'exit status {done.returncode}'}")
    return done.stdout.decode()


def git(folder: Path, *arguments: str) -> str:
    """What git prints of a clone, without the last newline."""
    return run("git", *arguments, folder=folder, seconds=60).rstrip("\n")
