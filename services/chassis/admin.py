"""The admin application: readiness and faults at run time, on a Unix socket or on a port that only loopback reaches.

    GET PUT        /ready      {"ready": false}
    GET PUT DELETE /faults     {"errorShare": 0.1, "delayMs": 50, "delayShare": 1, "seed": 7}

It has a separate listener because nothing else tells a local caller from a remote one: the sidecar forwards remote
requests from 127.0.0.1 too, and a TCP listener adds no header to recognise them by. But a sidecar forwards only to the
port of its virtual node, and the server knows on which listener a request arrived. `CONTROL_SOCKET` is a Unix socket
that its owner alone can open; `CONTROL_PORT` is bound to 127.0.0.1, where every user of the machine reaches it.
Both are off unless set.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, abort, request

from services.chassis.errors import answer_errors
from services.chassis.runtime_state import FaultSettings, RuntimeState

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# A web page can make a browser send requests to loopback, also under the page's own host name (DNS rebinding).
LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
# "same-site" is any other port of this machine: https://www.w3.org/TR/fetch-metadata/
SAME_ORIGIN = (None, "same-origin", "none")

_RANGES = {"errorShare": 1.0, "delayMs": 600_000.0, "delayShare": 1.0}


class AdminRouter:
    """Routes requests on the control socket or port to `control`, and all others to `application`."""

    def __init__(self, application: WSGIApplication, control: WSGIApplication, port: int | None) -> None:
        self._application = application
        self._control = control
        self._port = None if port is None else str(port)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # gunicorn sets both from the listener, and headers cannot change them; on a Unix socket the port is a header's.
        if environ["gunicorn.socket"].family == socket.AF_UNIX or environ["SERVER_PORT"] == self._port:
            return self._control(environ, start_response)
        return self._application(environ, start_response)


def admin_app(state: RuntimeState) -> Flask:
    """Creates the application on the control port."""
    app = Flask("control")
    answer_errors(app)

    @app.before_request
    def refuse_other_sites() -> None:
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not LOOPBACK_HOST.fullmatch(host):
            abort(421, f"{host!r} is not a name of the loopback interface; use 127.0.0.1")
        if origin not in (None, f"http://{host}") or request.headers.get("Sec-Fetch-Site") not in SAME_ORIGIN:
            abort(403, "web pages of other sites have no access")

    @app.get("/ready")
    def ready() -> dict[str, object]:
        return {"ready": state.ready}

    @app.put("/ready")
    def switch_ready() -> dict[str, object]:
        wanted = _object().get("ready")
        if not isinstance(wanted, bool):
            abort(400, f"ready is {wanted!r}; send true or false")
        state.set_ready(wanted)
        return ready()

    @app.get("/faults")
    def faults() -> dict[str, object]:
        _, settings = state.faults()
        return {
            "errorShare": settings.error_share,
            "delayMs": settings.delay_ms,
            "delayShare": settings.delay_share,
            "seed": settings.seed,
        }

    @app.put("/faults")
    def set_faults() -> dict[str, object]:
        state.set_faults(_settings(_object()))
        return faults()

    @app.delete("/faults")
    def no_faults() -> dict[str, object]:
        state.set_faults(FaultSettings())
        return faults()

    return app


def _object() -> dict[str, object]:
    document = request.get_json()
    if not isinstance(document, dict):
        abort(400, "the body is not a JSON object")
    return document


def _settings(document: dict[str, object]) -> FaultSettings:
    """Omitted values are 0 (`delayShare`: 1); unknown names are errors, so that a misspelt fault is noticed."""
    if unknown := document.keys() - _RANGES.keys() - {"seed"}:
        abort(400, f"unknown: {', '.join(sorted(unknown))}; known: errorShare, delayMs, delayShare, seed")
    values = {"errorShare": 0.0, "delayMs": 0.0, "delayShare": 1.0}
    for name, high in _RANGES.items():
        value = document.get(name, values[name])
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
            abort(400, f"{name} is {value!r}; send a number from 0 to {high:g}")
        values[name] = float(value)
    seed = document.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**63:
        abort(400, f"seed is {seed!r}; send a whole number of 64 bits")
    return FaultSettings(values["errorShare"], values["delayMs"], values["delayShare"], seed)
