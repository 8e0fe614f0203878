"""Unexpected errors of single objects: logged once and reported as their condition."""

from __future__ import annotations

import logging
from collections import OrderedDict

log = logging.getLogger(__name__)

MOST_REMEMBERED = 1000
"""Objects whose last error is remembered, so that it is not logged with each retry."""
_LONGEST = 200


class UnexpectedErrors:
    """Remembers which errors were logged."""

    def __init__(self) -> None:
        self._logged: OrderedDict[str, str] = OrderedDict()

    def report(self, name: str, error: Exception) -> str:
        """Logs an error with its traceback, unless it is the one that was logged of this name before.

        Returns what its condition should say.
        """
        text = f"{type(error).__name__}: {str(error)[:_LONGEST]}"
        if self._logged.get(name) != text:
            log.error("%s cannot be used, other objects are not affected: %s", name, text, exc_info=error)
            self._logged[name] = text
        self._logged.move_to_end(name)
        if len(self._logged) > MOST_REMEMBERED:
            self._logged.popitem(last=False)
        return f"the control plane cannot use it ({text}); correct the object, and report this error"
