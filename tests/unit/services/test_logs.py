"""The lines of a service's log, whatever its clients and its errors say."""

from __future__ import annotations

import io
import json
import logging

import pytest

from services.chassis.logs import JsonFormatter, RequestLog
from tests.support.hostile import PIECES, RAW

HOSTILE = "".join(PIECES)


@pytest.fixture(autouse=True)
def _requests_are_logged() -> None:
    logging.getLogger("services.request").setLevel(logging.INFO)


def test_a_request_is_one_line_without_controls() -> None:
    """Its path, its method and what its caller calls it are the caller's to choose."""
    out = io.StringIO()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/{HOSTILE}", "HTTP_X_REQUEST_ID": HOSTILE}
    RequestLog("product/2.0", out).write(environ, 200, 0.001, None)
    line = out.getvalue()

    assert not RAW.search(line)
    assert line.count("\n") == 1
    assert json.loads(line)["message"] == f"GET /{HOSTILE}"
    assert json.loads(line)["request"] == HOSTILE


@pytest.mark.parametrize(
    ("header", "attempt"), [("2", 2), ("1", None), (None, None), ("", None), ("many", None), ("9" * 99, None)]
)
def test_a_retried_request_says_so(header: str | None, attempt: int | None) -> None:
    """By the count of the caller's Envoy; what no Envoy writes is left out."""
    out = io.StringIO()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    environ |= {"HTTP_X_ENVOY_ATTEMPT_COUNT": header} if header is not None else {}
    RequestLog("product/2.0", out).write(environ, 200, 0.001, None)

    assert attempt == json.loads(out.getvalue()).get("attempt")


def test_an_error_is_one_line_without_controls() -> None:
    """Its text and its traceback included."""
    line = JsonFormatter().format(logging.LogRecord("x", logging.ERROR, "", 0, HOSTILE, (), None))

    assert not RAW.search(line)
    assert "\n" not in line
    assert json.loads(line)["message"] == HOSTILE
