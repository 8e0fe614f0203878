"""One call: its messages to a session, what the session sends to the client."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from shopmesh.server.grpc import carrier
from shopmesh.server.grpc.http2 import headers
from shopmesh.server.grpc.http2.connection import Http2Connection
from shopmesh.server.grpc.http2.limits import MOST_BUFFERED, STREAM_WINDOW
from shopmesh.server.grpc.http2.messages import MessageReader
from shopmesh.server.grpc.sessions import Authenticate, Call, Methods, Principal, Session, Status, StreamError

log = logging.getLogger(__name__)

_CREDIT_FROM = STREAM_WINDOW // 2
_OK = 0


class Calls:
    """What all streams of a carrier share."""

    def __init__(self, methods: Methods, authenticate: Authenticate, on_refused: Callable[[str, str], None]) -> None:
        """`on_refused` is called with the client and the reason."""
        self.methods = methods
        self.authenticate = authenticate
        self.on_refused = on_refused
        self.waiting: set[asyncio.Future[Any]] = set()
        """What streams wait for, of sessions and of authentication."""


class CallStream:
    """The stream of one call (`connection.Http2Stream`).

    While it waits for something, what the client sends is kept, and the session is not called.
    """

    __slots__ = (
        "_busy",
        "_calls",
        "_connection",
        "_credit",
        "_held",
        "_is_ending",
        "_messages",
        "_over",
        "_reader",
        "_sent",
        "_session",
        "_timer",
        "_to_send",
        "_waits_for",
        "_woken",
        "input_ended",
        "number",
        "receive_window",
        "send_window",
    )

    def __init__(self, connection: Http2Connection, number: int, calls: Calls) -> None:
        self.number = number
        self.send_window = self.receive_window = 0
        self.input_ended = False
        self._connection = connection
        self._calls = calls
        self._reader = MessageReader()
        self._messages: deque[bytes] = deque()
        """Those that the session has not had yet."""
        self._held = 0
        self._credit = 0
        self._session: Session | None = None
        self._busy = False
        """Whether a method of the session runs."""
        self._woken = False
        """Whether there may be messages that it has not been asked for."""
        self._waits_for: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._to_send: deque[bytes] = deque()
        self._sent = 0
        """How many bytes of the first of them are sent, with the five before it."""
        self._is_ending = False
        """Whether the session has given its last messages."""
        self._over = False

    # what the connection calls

    def begin(self, request: headers.Request) -> None:
        if not request.is_grpc:
            self._connection.send_headers(self, headers.NOT_GRPC, ends=True)
            self._release()
            return
        call = Call(request.path, request.authorization)
        self._wait_for(self._calls.authenticate(call), lambda principal: self._open(call, principal))

    def on_data(self, data: bytes, credit: int) -> None:
        self._credit += credit
        try:
            self._messages.extend(self._reader.feed(data))
        except StreamError as error:
            self._fail(error)
            return
        self._proceed()

    def on_end(self) -> None:
        self._proceed()

    def on_room(self) -> None:
        self._send()

    def on_lost(self) -> None:
        self._release()

    def on_stop(self) -> None:
        self._end(Status.UNAVAILABLE, "the control plane stops: call again")

    # what it waits for

    def _wait_for(self, awaitable: Awaitable[Any], then: Callable[[Any], None]) -> None:
        self._waits_for = future = asyncio.ensure_future(awaitable)
        self._calls.waiting.add(future)
        future.add_done_callback(lambda done: self._on_done(done, then))

    def _on_done(self, future: asyncio.Future[Any], then: Callable[[Any], None]) -> None:
        self._calls.waiting.discard(future)
        self._waits_for = None
        if self._over:
            if not future.cancelled():
                future.exception()
            self._close_session()
            return
        try:
            then(future.result())
        except (Exception, asyncio.CancelledError) as error:
            self._fail(error)
        else:
            self._proceed()
        self._connection.flush()

    def _open(self, call: Call, principal: Principal | None) -> None:
        try:
            open_session = self._calls.methods[call.method]
        except KeyError:
            raise StreamError(f"there is no method {call.method[:200]}", Status.UNIMPLEMENTED) from None
        self._connection.trusted = True
        self._session = open_session(principal, self._wake)
        self._connection.send_headers(self, headers.RESPONSE)
        if not self._messages:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(carrier.FIRST_MESSAGE_SECONDS, self._on_silence)

    def _on_silence(self) -> None:
        message = f"no request arrived within {carrier.FIRST_MESSAGE_SECONDS:g} s"
        self._fail(StreamError(message, Status.DEADLINE_EXCEEDED))
        self._connection.flush()

    # the session

    def _proceed(self) -> None:
        """Gives the session what has come, unless it is not ready for it, and sends what it has."""
        if self._waits_for is None and self._session is not None and not self._is_ending:
            self._busy = True
            try:
                self._deliver(self._session)
            except Exception as error:
                self._fail(error)
            finally:
                self._busy = False
            self._send()
        if self._reader.size or self._messages or self._held:
            self._count_held()

    def _deliver(self, session: Session) -> None:
        while self._messages:
            self._cancel_timer()
            waits_for = session.receive(self._messages.popleft())
            if waits_for is not None:
                self._wait_for(waits_for, lambda _: None)
                return
        if self.input_ended:
            if self._reader.size:
                raise StreamError("the stream ended in the middle of a message")
            self._cancel_timer()
            self._to_send.extend((*session.take(), *session.finish()))
            self._is_ending = True
        elif self._credit >= _CREDIT_FROM:
            self._connection.give_credit(self, self._credit)
            self._credit = 0

    def _wake(self) -> None:
        self._woken = True
        if not self._busy:
            self._send()
            self._connection.flush()

    def _send(self) -> None:
        """Sends what the session has, as far as there is room; the rest stays with the session."""
        session = self._session
        if session is None or not self._send_taken():
            return
        if self._is_ending:
            self._end(_OK, "")
            return
        self._woken = self._busy = True
        try:
            while self._woken and self._waits_for is None:
                self._woken = False
                self._to_send.extend(session.take())
                if not self._send_taken():
                    return
        except Exception as error:
            self._fail(error)
        finally:
            self._busy = False

    def _send_taken(self) -> bool:
        """Whether all of it could be sent."""
        while self._to_send:
            message = self._to_send[0]
            self._sent = self._connection.send_message(self, message, self._sent)
            if self._sent < len(message) + 5:
                return False
            self._to_send.popleft()
            self._sent = 0
        return True

    # its end

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, StreamError):
            log.error("a stream of %s ends by an error", self._connection.peer, exc_info=error)
            error = StreamError("the control plane cannot go on with this stream; see its log", Status.INTERNAL)
        self._calls.on_refused(self._connection.peer, str(error))
        self._end(error.status, str(error))

    def _end(self, status: int, text: str) -> None:
        if not self._over:
            block = headers.trailers(status, text)
            self._connection.send_headers(self, block if self._session else headers.RESPONSE + block, ends=True)
            self._release()

    def _release(self) -> None:
        if self._over:
            return
        self._over = True
        self._cancel_timer()
        self._messages.clear()
        self._to_send.clear()
        self._connection.buffered -= self._held
        self._held = 0
        if self._waits_for is not None:
            self._waits_for.cancel()
        else:
            self._close_session()

    def _close_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _count_held(self) -> None:
        """Bounds what the streams of a connection hold together."""
        if self._over:
            return
        held = self._reader.size + sum(map(len, self._messages))
        self._connection.buffered += held - self._held
        self._held = held
        if self._connection.buffered > MOST_BUFFERED:
            message = f"the streams of this connection hold over {MOST_BUFFERED} bytes of messages that are not whole"
            self._fail(StreamError(message, Status.RESOURCE_EXHAUSTED))
