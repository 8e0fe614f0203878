"""Durations as the Gateway API writes them: https://gateway-api.sigs.k8s.io/geps/gep-2257/"""

from __future__ import annotations

_LARGEST = 99_999
_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def format_duration(count: int) -> str | None:
    """Milliseconds as `15s`, `1500ms` or `27h46m40s`; None for what has more than five digits of hours."""
    for unit, length in (("s", 1000), ("ms", 1)):
        if count % length == 0 and count // length <= _LARGEST:
            return f"{count // length}{unit}"
    text, rest = "", count
    for unit, length in _UNITS:
        amount, rest = divmod(rest, length)
        if amount > _LARGEST:
            return None
        text += f"{amount}{unit}" if amount else ""
    return text
