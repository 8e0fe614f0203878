"""Structured logs: one JSON object a line on standard output, each with the service, requests with their trace.

    {"time": "2019-01-31T10:00:00.123Z", "level": "INFO", "service": "product/2.0", "message": "GET /products/1",
     "status": 200, "ms": 0.4, "trace": "5c52c4f0…", "request": "…"}

Only what is listed here is logged of a request: never its query, its other headers or its body, where secrets travel.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# Paths are the client's to choose; a log line is not to grow with them.
MAX_PATH = 256


class JsonFormatter(logging.Formatter):
    """Formats any record as one line of JSON, its traceback included; `fields` come from `RequestLog`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class RequestLog:
    """Writes the line of each request of one service."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._logger = logging.getLogger("services.request")

    def write(self, environ: WSGIEnvironment, status: int, seconds: float, trace: str | None) -> None:
        level = logging.INFO if status < 500 else logging.ERROR
        if not self._logger.isEnabledFor(level):
            return
        fields: dict[str, object] = {"service": self._service, "status": status, "ms": round(seconds * 1000, 2)}
        if trace:
            fields["trace"] = trace
        if request := environ.get("HTTP_X_REQUEST_ID"):
            fields["request"] = request[:MAX_PATH]
        message = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'][:MAX_PATH]}"
        record = self._logger.makeRecord(self._logger.name, level, "", 0, message, (), None, extra={"fields": fields})
        self._logger.handle(record)


def logging_config(level: str) -> Mapping[str, object]:
    """What `logging.config.dictConfig` is to be given: everything, gunicorn's own lines too, as JSON on stdout."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
            # One line for each new connection, at DEBUG.
            "urllib3": {"level": "WARNING"},
        },
    }
