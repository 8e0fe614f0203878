"""What holds for every service, through Flask's test client: its version, and the one shape of errors."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from flask import Flask

from services.chassis.config import Config
from services.chassis.errors import BadPeerError, LatePeerError
from services.chassis.service import new_service

HOME = Path(__file__).resolve().parents[3] / "services"
MODULES = [
    f"services.{file.parent.name}.{file.stem}"
    for name in ("app.py", "v*_*.py")
    for file in sorted(HOME.glob(f"*/{name}"))
]
"""Each version of each service in Python."""


@pytest.mark.parametrize("module", MODULES)
def test_the_environment_cannot_change_a_version(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by the webinar's own variables."""
    for variable in ("SVC_NAME", "SVC_VER", "VERSION", "SERVICE_VERSION", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(variable, "9.9")
    code = importlib.import_module(module)
    answer = code.create_app().test_client().get("/healthz")

    assert answer.headers["x-service-version"] == f"{module.split('.')[1]}/{code.VERSION}"


class TestErrors:
    """Every error: its status, and `{"error": {"status", "reason", "message"}}`, with `peer` when one is to blame."""

    @pytest.fixture
    def app(self) -> Flask:
        app = new_service("broken", "1.0", Config())

        failures = {
            "late": LatePeerError("p", "was late"),
            "bad": BadPeerError("p", "is bad"),
            "bug": KeyError("s3cret"),
        }

        @app.get("/<what>")
        def fail(what: str) -> str:
            raise failures[what]

        return app

    @pytest.mark.parametrize(
        ("method", "path", "status", "error"),
        [
            ("GET", "/no/where", 404, {"reason": "Not Found"}),
            ("POST", "/bug", 405, {"reason": "Method Not Allowed"}),
            ("GET", "/late", 504, {"reason": "Gateway Timeout", "message": "p was late", "peer": "p"}),
            ("GET", "/bad", 502, {"reason": "Bad Gateway", "message": "p is bad", "peer": "p"}),
            ("GET", "/bug", 500, {"reason": "Internal Server Error"}),
        ],
    )
    def test_shape(
        self,
        app: Flask,
        method: str,
        path: str,
        status: int,
        error: Mapping[str, str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The status is in the line and in the body, and nothing of a bug but its existence is told."""
        answer = app.test_client().open(path, method=method)
        body = answer.get_json()

        assert answer.status_code == body["error"]["status"] == status
        assert body["error"].items() >= error.items()
        assert body.keys() == {"error"}
        assert body["error"].keys() <= {"status", "reason", "message", "peer"}
        assert ("peer" in body["error"]) == (status in (502, 504))
        assert answer.headers["x-service-version"] == "broken/1.0"
        assert answer.mimetype == "application/json"
        assert "s3cret" not in answer.get_data(as_text=True)

    def test_a_bug_is_logged_with_its_traceback(self, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
        """The log is where to find what the caller is not told."""
        app.test_client().get("/bug")
        record = next(record for record in caplog.records if record.levelno == logging.ERROR and record.exc_info)

        assert record.exc_info
        assert isinstance(record.exc_info[1], KeyError)

    def test_405_names_what_is_allowed(self, app: Flask) -> None:
        """As HTTP demands."""
        assert "GET" in app.test_client().post("/bug").headers["Allow"]
