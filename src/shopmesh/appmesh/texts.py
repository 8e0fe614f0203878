"""What people write in options, annotations and variables, read once: lengths of time and IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

_LENGTH = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_SECONDS: Mapping[str, Decimal] = MappingProxyType(
    {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
)


def parse_seconds(text: str) -> Decimal | None:
    """The seconds of `300ms`, `1.5s`, `5m` or `1h`; None for anything else."""
    found = _LENGTH.fullmatch(text)
    return Decimal(found[1]) * _SECONDS[found[2]] if found else None


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
