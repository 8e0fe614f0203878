"""Which service versions produced a response: that of the called service and those of its peers. Pure.

A version is `service/version`, as in `product/2.0`. It is in response headers, several separated by commas, or,
with a pattern, in the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADERS = ("x-service-version", "x-peer-versions")
"""The headers of this project's services: the service's own version, and those of its peers."""

FLAGS_HEADER = "x-envoy-response-flags"
"""Envoy's response flags, which say why Envoy itself answered an error; our sidecars add them to such errors.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags
"""

BODY_PATTERN = r'"Service"\s*:\s*"([^"]+)"\s*,\s*"Version"\s*:\s*"?([\w.+-]+)'
"""The lines of the webinar's services."""

DEFAULT_SERVICE = "app"
"""The service of a version without one, as in `x-version: 2.0`."""

MAX_BODY = 64 * 1024
"""How much of a body is searched, in bytes."""

_MAX_VERSIONS = 16
_MAX_CHARACTERS = 64


@dataclass(frozen=True)
class Attribution:
    """Where a response has its versions; `pattern` has one group (version) or two (service, version)."""

    headers: Sequence[str] = HEADERS
    pattern: re.Pattern[bytes] | None = None

    @property
    def header_names(self) -> tuple[bytes, ...]:
        """The names of the headers that are read, Envoy's response flags first."""
        return (FLAGS_HEADER.encode(), *(name.lower().encode() for name in self.headers))

    def find_in_body(self, body: bytes) -> tuple[bytes, ...]:
        """Versions that the pattern finds in a body, as `service/version`."""
        if self.pattern is None:
            return ()
        groups = (match.groups() for match in self.pattern.finditer(body[:MAX_BODY]))
        return tuple(b"/".join(part or b"" for part in found) for found, _ in zip(groups, range(_MAX_VERSIONS)))  # noqa: B905

    def versions(self, values: Iterable[bytes | None]) -> tuple[str, ...]:
        """Unique sorted versions from header values or from `find_in_body`."""
        texts = (part.strip() for value in values if value for part in decode_printable(value).split(","))
        labels = {_label(text) for text in texts if text}
        return tuple(sorted(labels)[:_MAX_VERSIONS])


def compile_pattern(text: str) -> re.Pattern[bytes]:
    """A regular expression for bodies; raises ValueError unless it has one group or two."""
    try:
        compiled = re.compile(text.encode())
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    if compiled.groups not in (1, 2):
        raise ValueError(f"{text!r} has {compiled.groups} groups; it needs one (version) or two (service, version)")
    return compiled


def decode_printable(value: bytes) -> str:
    """Decodes a server's bytes to text that is safe to print."""
    return "".join(character if character.isprintable() else "?" for character in value.decode("latin-1"))


def service_of(version: str) -> str:
    return version.rpartition("/")[0]


def _label(text: str) -> str:
    service, slash, version = text[:_MAX_CHARACTERS].rpartition("/")
    return f"{service.lower()}/{version}" if slash and service else f"{DEFAULT_SERVICE}/{version}"
