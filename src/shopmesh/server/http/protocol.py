"""uvicorn's protocol on h11, with bounds on the size of a request's head and on the time of every wait.

h11 bounds what it keeps of an incomplete request; httptools would keep headers without a limit.
"""

from __future__ import annotations

import asyncio
import enum
import json
import logging
from http import HTTPStatus
from typing import Any, cast

import h11
import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from shopmesh.server.grpc.rate_limited_log import RateLimitedLog
from shopmesh.server.http.connections import Connection
from shopmesh.server.http.limits import HttpLimits


class Phase(enum.Enum):
    """What a connection waits for."""

    FIRST_BYTE = "first_byte_seconds"
    HEAD = "head_seconds"
    APPLICATION = None
    """The application reads the body or answers. It bounds both itself, because responses may be event streams."""
    WRITE = "write_seconds"
    DISCARD = "discard_seconds"
    IDLE = "idle_seconds"
    CLOSE = "close_seconds"

    def seconds(self, limits: HttpLimits) -> float | None:
        return None if self.value is None else float(getattr(limits, self.value))


class RequestParser(h11.Connection):
    """h11's parser, which also refuses a too large head that arrives in one piece, and bodies of unknown length."""

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(h11.SERVER, limits.head_bytes)
        self._limits = limits
        self.status = HTTPStatus.BAD_REQUEST
        """The status to answer with when `next_event` has raised."""
        self.problem = "this is not a valid HTTP/1.1 request"

    @property
    def client_is_sending(self) -> bool:
        """Whether the body of a request has not fully arrived."""
        return self.their_state is h11.SEND_BODY

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                self._refuse_head()
            raise
        if isinstance(event, h11.Request):
            self._check(event)
        return event

    def _check(self, request: h11.Request) -> None:
        size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
        if size > self._limits.head_bytes or len(request.headers) > self._limits.headers:
            self._refuse_head()
        elif any(name == b"transfer-encoding" for name, _ in request.headers):
            # Each chunk would cost an event: a client could cause a hundred times its own work.
            self.status = HTTPStatus.LENGTH_REQUIRED
            self.problem = "the request has no Content-Length; send its body as a whole, not in chunks"
        else:
            return
        raise h11.RemoteProtocolError(self.problem, error_status_hint=self.status)

    def _refuse_head(self) -> None:
        self.status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self.problem = (
            f"the request line and headers have more than {self._limits.head_bytes} bytes, "
            f"or are more than {self._limits.headers} headers; send fewer"
        )


class LimitedProtocol(H11Protocol):
    """One connection: closes it when it waits too long, and reports how useful it is."""

    def __init__(
        self,
        connection: Connection,
        limits: HttpLimits,
        rejections: RateLimitedLog,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        # uvicorn logs every bad request without a limit; its errors are logged by us.
        self.logger = logging.getLogger("uvicorn.error.protocol")
        self.logger.setLevel(logging.ERROR)
        self.conn: RequestParser = RequestParser(limits)
        self._connection = connection
        self._limits = limits
        self._rejections = rejections
        self._begun = False
        """Whether the head of a request has arrived."""
        self._lingering = False
        """Whether it will be closed, and incoming bytes are discarded until then."""
        self._phase: Phase | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._connection.close = transport.abort
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._connection.remove()
        super().connection_lost(exc)
        if self._begun:
            # It refers to this protocol: without this its memory would wait for the garbage collector.
            self.cycle.transport = self.transport

    def data_received(self, data: bytes) -> None:
        if self._lingering or self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._begun = True
            self.cycle.transport = cast(asyncio.Transport, _AnswerTransport(self))
            self._connection.add_to(cast(Scope, self.cycle.scope))

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answers a request that could not be parsed, unless another response is in progress, and closes."""
        problem, status = self.conn.problem, self.conn.status
        peer = self.client[0] if self.client else "a client"
        self._rejections.warn(peer, f"{status.value} {status.phrase}: {problem}")
        if not self._is_answering:
            body = json.dumps({"message": problem}).encode()
            self.transport.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
                + body
            )
        self.transport.close()

    def close_after_answer(self) -> None:
        """Closes; while a request is still arriving, not before the client had time to read the response.

        A socket that is closed with bytes unread resets the connection, and the client may never see the answer.
        """
        if self.conn.client_is_sending:
            self._lingering = True
        else:
            self.transport.close()

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            # In this state of the connection no response can be sent.
            self.transport.abort()

    def _watch(self) -> None:
        """Starts the time limit of what the connection now waits for, unless it waits for the same as before."""
        phase = self._current_phase()
        self._connection.update_state(busy=phase in (Phase.APPLICATION, Phase.WRITE))
        if phase is self._phase:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
        seconds = phase.seconds(self._limits)
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    @property
    def _is_answering(self) -> bool:
        return self._begun and not self.cycle.response_complete

    def _current_phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.CLOSE
        if self.flow.write_paused:
            return Phase.WRITE
        if self._is_answering:
            return Phase.APPLICATION
        if self._lingering or self.conn.client_is_sending:
            return Phase.DISCARD
        if self.conn.trailing_data[0]:
            return Phase.HEAD
        return Phase.IDLE if self._begun else Phase.FIRST_BYTE


class _AnswerTransport:
    """The part of a transport that uvicorn writes to."""

    def __init__(self, protocol: LimitedProtocol) -> None:
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing
        self.close = protocol.close_after_answer
