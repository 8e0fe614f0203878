"""Each carrier in the loop of the test, with sessions that the test looks into; tests may be coroutines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from shopmesh.server.grpc.carrier import Carrier, ServerCertificate
from shopmesh.server.grpc.grpc_carrier import GrpcCarrier
from shopmesh.server.grpc.http2.http2_carrier import Http2Carrier
from shopmesh.server.grpc.sessions import Authenticate, Methods, Principal, Status, StreamError, Wake, accept_everyone
from tests.contract.kubernetes.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]

ECHO = "/test.Service/Echo"
REFUSED = "/test.Service/Refused"
LAST = b"that was all"
REASON = "no stream for 100 % of „them“;\nstart another"


class EchoSession:
    """Sends back what it receives, and what the test adds to `to_send`; refuses the message `bad`."""

    def __init__(self, principal: Principal | None, wake: Wake) -> None:
        self.principal = principal
        self.wake = wake
        self.received: list[bytes] = []
        self.to_send: list[bytes] = []
        self.takes = 0
        self.closes = 0
        self.closed = asyncio.Event()
        self.pause: Callable[[bytes], Awaitable[None] | None] = lambda _: None

    def receive(self, data: bytes) -> Awaitable[None] | None:
        self.received.append(data)
        if data == b"bad":
            raise StreamError(REASON, Status.PERMISSION_DENIED)
        self.to_send.append(data)
        return self.pause(data)

    def take(self) -> Sequence[bytes]:
        messages, self.to_send = self.to_send, []
        self.takes += bool(messages)
        return messages

    def finish(self) -> Sequence[bytes]:
        return (LAST,)

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


@dataclass
class Service:
    """The methods of a test, and the sessions of its streams so far."""

    sessions: list[EchoSession] = field(default_factory=list)
    pause: Callable[[bytes], Awaitable[None] | None] = lambda _: None

    def methods(self) -> Methods:
        return {ECHO: self.open, REFUSED: _refuse}

    def open(self, principal: Principal | None, wake: Wake) -> EchoSession:
        session = EchoSession(principal, wake)
        session.pause = self.pause
        self.sessions.append(session)
        return session


def _refuse(_: Principal | None, __: Wake) -> EchoSession:
    raise StreamError(REASON, Status.RESOURCE_EXHAUSTED)


CARRIERS: dict[str, Callable[[Methods, Authenticate], Carrier]] = {"grpc": GrpcCarrier, "http2": Http2Carrier}


class Serving:
    """Starts the carrier of this test for the length of an `async with` block."""

    def __init__(self, make: Callable[[Methods, Authenticate], Carrier]) -> None:
        self.make = make

    @contextlib.asynccontextmanager
    async def __call__(
        self,
        service: Service,
        authenticate: Authenticate = accept_everyone,
        certificate: ServerCertificate | None = None,
    ) -> AsyncIterator[int]:
        carrier = self.make(service.methods(), authenticate)
        port = carrier.bind_port("127.0.0.1", 0, certificate)
        await carrier.start()
        try:
            async with asyncio.timeout(60):
                yield port
        finally:
            await carrier.stop()


@pytest.fixture
def own() -> Serving:
    """The carrier of our own, for what gRPC's library does in another way, or does not do."""
    return Serving(CARRIERS["http2"])


@pytest.fixture(params=CARRIERS)
def serving(request: pytest.FixtureRequest) -> Serving:
    return Serving(CARRIERS[request.param])
