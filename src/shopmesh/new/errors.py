"""The error of `shopmesh new` and `shopmesh remove`."""

from __future__ import annotations


class ScaffoldError(Exception):
    """The command changed nothing; its message is one line that says what to do. The exit status is 1."""
