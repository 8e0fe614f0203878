"""The errors of a service, and the common JSON form of their responses.

ServiceError                raised by a handler
└── PeerError               a peer gave no usable answer
    ├── BadPeerError    502   refused, reset, an error, or something that is not the expected document
    └── LatePeerError   504   nothing complete before the deadline

{"error": {"status": 504, "reason": "Gateway Timeout", "message": "…", "peer": "product"}}      peer: PeerError only
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

LOG = logging.getLogger("services")


class ServiceError(Exception):
    """An error with its own status and message."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    peer: str | None = None


class PeerError(ServiceError):
    """A peer gave no usable answer; the message names the peer and what happened."""

    def __init__(self, peer: str, what: str) -> None:
        super().__init__(f"{peer} {what}")
        self.peer = peer

    def along_with(self, others: Iterable[PeerError]) -> PeerError:
        """Adds the messages of other peers that failed in the same request; returns this error."""
        self.args = ("; ".join([str(self), *map(str, others)]),)
        return self


class BadPeerError(PeerError):
    status = HTTPStatus.BAD_GATEWAY


class LatePeerError(PeerError):
    status = HTTPStatus.GATEWAY_TIMEOUT


def error_body(status: int, message: str, peer: str | None = None) -> bytes:
    """The JSON body of an error, with a final newline."""
    error: dict[str, object] = {"status": status, "reason": HTTPStatus(status).phrase, "message": message}
    if peer is not None:
        error["peer"] = peer
    return json.dumps({"error": error}).encode() + b"\n"


def answer_errors(app: Flask) -> None:
    """Makes `app` answer every error in the common form; a traceback goes to the log, never to the caller."""

    def on_purpose(error: ServiceError) -> Response:
        body = error_body(error.status, str(error), error.peer)
        return Response(body, error.status, mimetype="application/json")

    def http(error: HTTPException) -> Response:
        status = error.code or 500
        response = Response(error_body(status, str(error.description)), status, mimetype="application/json")
        # 405 must list the allowed methods: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    def unforeseen(error: Exception) -> Response:
        LOG.error("a request failed", exc_info=error)
        message = "the service failed; look for this request's trace in its log"
        return Response(error_body(500, message), 500, mimetype="application/json")

    app.register_error_handler(ServiceError, on_purpose)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unforeseen)
