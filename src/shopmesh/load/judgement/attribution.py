"""Which versions an answer came through: of the service that was asked, and of those that it asked. Pure.

A version is `service/version`, as in `product/2.0`. It stands in response headers, several separated by commas, or
is found in the body on request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADERS = ("x-service-version", "x-peer-versions")
"""What the services of this project say: who answered, and who answered it."""

FLAGS_HEADER = "x-envoy-response-flags"
"""Why an Envoy answered an error itself, by its own abbreviations; our sidecars send it with such errors.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags
"""

BODY_PATTERN = r'"Service"\s*:\s*"([^"]+)"\s*,\s*"Version"\s*:\s*"?([\w.+-]+)'
"""The lines of the webinar's services."""

DEFAULT_SERVICE = "app"
"""The service of a version that comes without one, as in `x-version: 2.0`."""

MAX_BODY = 64 * 1024
"""Bytes of a body that are searched."""

_MAX_VERSIONS = 16
_MAX_CHARACTERS = 64


@dataclass(frozen=True)
class Attribution:
    """Where an answer says its versions; `pattern` has one group (version) or two (service, version)."""

    headers: Sequence[str] = HEADERS
    pattern: re.Pattern[bytes] | None = None

    @property
    def header_names(self) -> tuple[bytes, ...]:
        """The names of the headers that are read, the one of Envoy's response flags first."""
        return (FLAGS_HEADER.encode(), *(name.lower().encode() for name in self.headers))

    def find_in_body(self, body: bytes) -> tuple[bytes, ...]:
        """What the pattern finds in a body, as `service/version`."""
        if self.pattern is None:
            return ()
        groups = (match.groups() for match in self.pattern.finditer(body[:MAX_BODY]))
        return tuple(b"/".join(part or b"" for part in found) for found, _ in zip(groups, range(_MAX_VERSIONS)))  # noqa: B905

    def versions(self, values: Iterable[bytes | None]) -> tuple[str, ...]:
        """The versions in the values of headers, or in what was found in a body: sorted, each once."""
        texts = (part.strip() for value in values if value for part in decode_printable(value).split(","))
        labels = {_label(text) for text in texts if text}
        return tuple(sorted(labels)[:_MAX_VERSIONS])


def compile_pattern(text: str) -> re.Pattern[bytes]:
    """A regular expression for bodies; raises ValueError unless it has one group or two."""
    try:
        compiled = re.compile(text.encode())
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    if compiled.groups not in (1, 2):
        raise ValueError(f"{text!r} has {compiled.groups} groups: one for the version, or two for service and version")
    return compiled


def decode_printable(value: bytes) -> str:
    """A server's bytes as text that a terminal can be shown."""
    return "".join(character if character.isprintable() else "?" for character in value.decode("latin-1"))


def service_of(version: str) -> str:
    return version.rpartition("/")[0]


def _label(text: str) -> str:
    service, slash, version = text[:_MAX_CHARACTERS].rpartition("/")
    return f"{service.lower()}/{version}" if slash and service else f"{DEFAULT_SERVICE}/{version}"
