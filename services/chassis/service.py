"""Creates the Flask application of a service with all features of the chassis."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from flask import Flask, Response

from services.chassis.admin import AdminRouter, admin_app
from services.chassis.config import Config
from services.chassis.errors import answer_errors
from services.chassis.faults import FaultInjector
from services.chassis.logs import RequestLog
from services.chassis.middleware import Middleware
from services.chassis.runtime_state import RuntimeState
from services.chassis.tracing import HeaderPropagation, Tracing

EXTENSION = "chassis"


@dataclass(frozen=True)
class Chassis:
    """Objects for the server around the application, in `app.extensions["chassis"]`."""

    state: RuntimeState
    tracing: Tracing


def new_service(name: str, version: str, config: Config) -> Flask:
    """Creates a Flask application with health checks and error handling; the caller adds its routes.

    It may start threads (the span exporter), so call it in the serving process, after the fork.
    """
    app = Flask(name)
    state = RuntimeState(config)
    tracing = _tracing(name, version, config)
    app.extensions[EXTENSION] = Chassis(state, tracing)
    answer_errors(app)

    @app.get("/healthz")
    def healthy() -> dict[str, object]:
        return {"status": "ok"}

    @app.get("/readyz")
    def ready() -> tuple[dict[str, object], int]:
        return ({"status": "ready"}, 200) if state.ready else ({"status": "not ready"}, 503)

    edge = Middleware(
        app.wsgi_app, f"{name}/{version}", tracing, FaultInjector(state), RequestLog(f"{name}/{version}", sys.stdout)
    )
    if config.control_port or config.control_socket:
        app.wsgi_app = AdminRouter(edge, admin_app(state).wsgi_app, config.control_port)  # type: ignore[method-assign]
    else:
        app.wsgi_app = edge  # type: ignore[method-assign]  # Flask documents this way to wrap an application
    return app


def to_json(document: object) -> bytes:
    """Encodes a JSON document in one line."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def json_answer(body: bytes) -> Response:
    """A response with encoded JSON, so that constant documents are encoded once and not for every request."""
    return Response(body, mimetype="application/json")


def text_answer(body: bytes) -> Response:
    """A response with lines of text: several lines of JSON are not a JSON document, and browsers show text."""
    return Response(body, mimetype="text/plain")


def webinar_line(name: str, version: str) -> bytes:
    """The answer of the webinar's services to `GET /`: `{"Service":"Product","Version":2.0}`."""
    return f'{{"Service":"{name.title()}","Version":{version}}}\n'.encode()


def _tracing(name: str, version: str, config: Config) -> Tracing:
    """The configured tracing; an SDK is imported only if it is used."""
    if config.tracing == "xray":
        from services.chassis.xray import XRay

        return XRay(name, version, config.xray_daemon)
    if config.tracing == "otel" and config.otlp_endpoint:
        from services.chassis.otel import OpenTelemetry

        return OpenTelemetry(name, version, config.otlp_endpoint)
    return HeaderPropagation(ids=config.tracing == "otel")
