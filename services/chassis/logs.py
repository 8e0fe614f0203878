"""Structured logs: one JSON object per line on standard output, with the service and the trace of the request.

    {"time": "2019-01-31T10:00:00.123Z", "level": "INFO", "service": "product/2.0", "message": "GET /products/1",
     "status": 200, "ms": 0.4, "trace": "5c52c4f0…", "request": "…"}

A retried request also has its "attempt", 2 or more, as the caller's Envoy counts it.

Nothing else of a request is logged: its query, other headers and body may hold secrets.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# Clients choose the path; this bounds the length of a log line.
MAX_PATH = 256
# The caller's Envoy counts its attempts from 1; a client of its own can send anything.
_ATTEMPT = re.compile(r"[0-9]{1,3}", re.ASCII)


def quote(text: str) -> str:
    """Encodes a JSON string without any control character; JSON itself does not escape DEL."""
    return encode_basestring_ascii(text).replace("\x7f", "\\u007f")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, with its traceback."""

    def __init__(self) -> None:
        super().__init__()
        # `json.dumps` would create an encoder for every line.
        self._encode = json.JSONEncoder(default=str).encode

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return self._encode(line).replace("\x7f", "\\u007f")


class RequestLog:
    """Writes a line for each request of one service to `out`, if the level of logger `services.request` allows it.

    It formats the line itself: `logging` would cost more than the rest of the chassis together.
    """

    def __init__(self, service: str, out: TextIO) -> None:
        self._service = quote(service)
        self._out = out
        self._enabled = logging.getLogger("services.request").isEnabledFor
        self._second, self._stamp = 0, ""

    def write(self, environ: WSGIEnvironment, status: int, seconds: float, trace: str | None) -> None:
        """Writes the line; `seconds` is the duration; trace and request id are omitted when absent."""
        level = logging.INFO if status < 500 else logging.ERROR
        if not self._enabled(level):
            return
        message = quote(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'][:MAX_PATH]}")
        request = environ.get("HTTP_X_REQUEST_ID")
        attempt = environ.get("HTTP_X_ENVOY_ATTEMPT_COUNT", "1")
        line = (
            f'{{"time": "{self._now()}", "level": "{logging.getLevelName(level)}", "service": {self._service}, '
            f'"message": {message}, "status": {status}, "ms": {seconds * 1000:.2f}'
            + (f', "attempt": {int(attempt)}' if attempt != "1" and _ATTEMPT.fullmatch(attempt) else "")
            + (f', "trace": {quote(trace)}' if trace else "")
            + (f', "request": {quote(request[:MAX_PATH])}' if request else "")
            + "}\n"
        )
        # A log that cannot be written, as on a full disk, must not cost the answer.
        with contextlib.suppress(OSError):
            self._out.write(line)
            self._out.flush()

    def _now(self) -> str:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        return f"{self._stamp}.{int(now % 1 * 1000):03d}Z"


def logging_config(level: str) -> Mapping[str, object]:
    """The configuration for `logging.config.dictConfig`: all loggers, gunicorn's too, write JSON to stdout."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
            # It logs a line for each new connection at DEBUG.
            "urllib3": {"level": "WARNING"},
        },
    }
