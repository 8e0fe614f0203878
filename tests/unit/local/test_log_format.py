"""Log lines for people."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from shopmesh.local.processes.log_format import format_line, is_routine_request
from shopmesh.local.processes.terminal import Terminal
from shopmesh.output.console import PlainConsole


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
        ('{"a":' + "[" * 4000, '{"a":' + "[" * 4000),
        ("RuntimeError: no database", "RuntimeError: no database"),
        ("", ""),
    ],
)
def test_what_a_person_looks_for_comes_first(line: str, expected: str) -> None:
    """Services' JSON and Envoy's prefix are shortened; whatever else is printed stays as it is."""
    assert format_line(line) == expected


def request(**fields: object) -> str:
    return json.dumps({"level": "INFO", "service": "order/1.0", "message": "GET /", "status": 200, "ms": 1.0} | fields)


@pytest.mark.parametrize(
    ("line", "routine"),
    [
        (request(), True),
        (request(status=302), True),
        (request(attempt=1), True),
        (request(status=404), False),
        (request(status=503), False),
        (request(ms=500.5), False),
        (request(attempt=2), False),
        (json.dumps({"level": "INFO", "message": "listening", "ms": 3}), False),
        (json.dumps({"level": "INFO", "message": "a report", "status": "fine", "ms": 3}), False),
        ("GET / 200", False),
        ('{"status":' + "[" * 4000, False),
    ],
)
def test_a_request_that_went_well_is_known_by_its_line(line: str, routine: bool) -> None:
    """Failed, slow and retried ones are not, nor is anything that is not a request."""
    assert routine == is_routine_request(line)


@pytest.mark.parametrize(
    ("show_requests", "shown"), [(False, ["started", "=500"]), (True, ["started", "=200", "=500"])]
)
def test_the_terminal_shows_every_request_only_on_request(
    tmp_path: Path, show_requests: bool, shown: list[str]
) -> None:
    """The log file has all of them in any case."""
    output = io.StringIO()
    terminal = Terminal(PlainConsole(file=output, width=200), tmp_path / "log", show_requests=show_requests)
    for line in ("started", request(), request(status=500)):
        terminal.line("order-vn-1 app", line)
    terminal.close()

    lines = output.getvalue().splitlines()
    assert len(shown) == len(lines)
    assert all(part in line for part, line in zip(shown, lines, strict=True))
    assert 3 == len((tmp_path / "log").read_text().splitlines())
