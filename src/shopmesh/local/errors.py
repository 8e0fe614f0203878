"""Errors of a mesh on one machine.

    LocalError
    ├── StartError     a port, program, folder or manifest prevents a start
    └── ControlError   `shopmesh up` does not answer, or refuses a request

Each message is one line that names the thing and says what to do.
"""

from __future__ import annotations


class LocalError(Exception):
    """Shown to the user as it is; the exit status is 1."""


class StartError(LocalError):
    """A port, program, folder or manifest prevents a start."""


class ControlError(LocalError):
    """No `shopmesh up` answers in the run folder, or it refuses."""
