"""When two specifications mean the same: an empty list is as good as none."""

from __future__ import annotations

from typing import Any


def equivalent(one: Any, other: Any) -> bool:
    """Whether two specifications mean the same."""
    return bool(normalise(one) == normalise(other))


def normalise(value: Any) -> Any:
    """A specification without what says nothing."""
    if isinstance(value, dict):
        return {key: normalise(item) for key, item in value.items() if item not in ([], None)}
    return [normalise(item) for item in value] if isinstance(value, list) else value
