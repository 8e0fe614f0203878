"""What can go wrong when a service is made or removed: each message is one line that says what to do."""

from __future__ import annotations


class ScaffoldError(Exception):
    """Shown to the user as it is; nothing was changed. The exit status is 1."""
