"""Parses host names and addresses of Host and Origin headers, and decides which of them a server accepts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The hosts that a server accepts, in lower case; it also accepts loopback and the address of the connection."""

    names: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Host names and addresses without ports; raises ValueError for anything else."""
        return cls(frozenset(host_name(name) for name in names))

    def allows(self, host: str, local_address: str | None) -> bool:
        """Whether a request may name this host; `local_address` is where its connection ends."""
        address = _address(host)
        if address is not None and (address.is_loopback or address == _address(local_address or "")):
            return True
        return host == "localhost" or host in self.names


def host_name(text: str) -> str:
    """Normalises a host for comparison: lower case, without brackets and final dot; raises ValueError."""
    text = text.partition("%")[0]
    host, port = split_authority(f"[{text}]" if _is_ipv6(text) else text)
    if port is not None:
        raise ValueError(f"{text!r} has a port; name the host alone")
    return host


def split_authority(authority: str) -> tuple[str, int | None]:
    """The normalised host, and the port, of `HOST[:PORT]`; raises ValueError."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None or int(found["port"] or 0) > 65535:
        raise ValueError(f"{authority!r} is not of the form HOST or HOST:PORT")
    host = found["host"].lower()
    if host.startswith("["):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    host = host.removesuffix(".")
    if not host:
        raise ValueError("the host is empty")
    return host, int(found["port"]) if found["port"] else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])  # %: the interface of a link-local address
    except ValueError:
        return None
    # A listener for both families sees IPv4 as IPv6.
    return getattr(address, "ipv4_mapped", None) or address


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
