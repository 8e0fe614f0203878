"""Log lines for people."""

from __future__ import annotations

import pytest

from shopmesh.local.processes.log_format import format_line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"time": "2026-11-22T22:12:01Z", "level": "INFO", "message": "GET /", "service": "order/1.0", '
            '"status": 200, "ms": 23.84, "trace": "6b", "request": "c5"}',
            "INFO GET / status=200 ms=23.84",
        ),
        (
            "[2026-11-22 22:12:06.418][10790][warning][main] [source/server/server.cc:1028] caught ENVOY_SIGTERM",
            "WARNING caught ENVOY_SIGTERM",
        ),
        ("[2026-11-22 22:12:06.418][7][critical][config] it [broke]", "CRITICAL it [broke]"),
        ('{"time": "half', '{"time": "half'),
        ('{"Service":"Order"}', '{"Service":"Order"}'),
        ("{}", "{}"),
        ("RuntimeError: no database", "RuntimeError: no database"),
        ("", ""),
    ],
)
def test_what_a_person_looks_for_comes_first(line: str, expected: str) -> None:
    """Services' JSON and Envoy's prefix are shortened; whatever else is printed stays as it is."""
    assert format_line(line) == expected
