"""What can go wrong on one machine.

    LocalError
    ├── StartError     a port, a program, a folder or a manifest that is not as it must be
    └── ControlError   another `shopmesh up` could not do what was asked of it

Each message is one line that names the thing and says what to do.
"""

from __future__ import annotations


class LocalError(Exception):
    """Shown to the user as it is; the exit status is 1."""


class StartError(LocalError):
    """Something that has to be there before a program can be started is not."""


class ControlError(LocalError):
    """No `shopmesh up` answers in the run folder, or it refused."""
