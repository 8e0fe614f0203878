"""Log lines for people."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.logs import RequestLog
from shopmesh.local.processes.log_format import ROUTINE_LINE, format_line, is_routine_request, lines_to_show
from shopmesh.local.processes.terminal import Terminal
from shopmesh.output.console import PlainConsole
from tests.support.hostile import texts


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


def written(status: int = 200, milliseconds: float = 1.0, attempt: str = "1", path: str = "/products/1") -> str:
    """The line of a request as the services write it."""
    out = io.StringIO()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "HTTP_X_REQUEST_ID": "c5",
        "HTTP_X_ENVOY_ATTEMPT_COUNT": attempt,
    }
    RequestLog("product/1.0", out).write(environ, status, milliseconds / 1000, "6b")
    return out.getvalue()


TROUBLE = [
    written(status=404),
    written(status=500),
    written(milliseconds=500.5),
    written(milliseconds=1500),
    written(attempt="2"),
    written(attempt="12", status=503),
]


def test_of_a_block_the_lines_with_trouble_are_shown() -> None:
    """Each of them, in their order, whatever stands between them; and all that is not about a request."""
    routine = [written(), written(status=302, milliseconds=499.99), written(path='/"quoted"\\'), request() + "\n"]
    others = ["started\n", '{"half": \n', *TROUBLE, "\n"]
    block = "".join(part for line in others for part in (*routine, line, *routine))

    assert "".join(others) == "".join(f"{line}\n" for line in lines_to_show(block.encode()))


def test_the_lines_of_our_services_are_passed_over_without_reading_them_one_by_one() -> None:
    """A pattern knows their form; whatever it takes is routine by its fields too."""
    assert b"" == ROUTINE_LINE.sub(b"", written().encode() * 3)
    assert not [line for line in TROUBLE if ROUTINE_LINE.search(line.encode())]


@given(
    line=st.builds(
        written,
        status=st.integers(100, 599),
        milliseconds=st.floats(0, 2000) | st.sampled_from([499.994, 499.996, 500.0, 500.004, 500.006]),
        attempt=st.sampled_from(["1", "2", "0", "x", "999"]),
        path=texts,
    )
)
def test_a_pattern_hides_no_line_that_is_to_be_shown(line: str) -> None:
    """For every status, duration, attempt and path."""
    if ROUTINE_LINE.fullmatch(line.encode()):
        assert is_routine_request(line)


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
        terminal.lines("order-vn-1 app", f"{line}\n".encode())
    terminal.close()

    lines = output.getvalue().splitlines()
    assert len(shown) == len(lines)
    assert all(part in line for part, line in zip(shown, lines, strict=True))
    assert 3 == len((tmp_path / "log").read_text().splitlines())
