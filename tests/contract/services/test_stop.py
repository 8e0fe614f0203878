"""A stop loses nothing: not ready first, what is in flight is answered, and the spans are sent."""

from __future__ import annotations

import contextlib
import signal

import requests

from tests.contract.services.conftest import Serve, asking
from tests.support.process import eventually


def test_requests_in_flight_are_answered(serve: Serve) -> None:
    """Twenty slow requests have been sent when SIGTERM comes: all are answered whole, then the process ends well."""
    service = serve("product.app", FAULT_DELAY_MS="700")
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(asking(service)) for _ in range(20)]
        code = service.child.stop(signal.SIGTERM)
        answers = [stack.enter_context(caller.makefile("rb")).read() for caller in callers]

    assert code == 0
    assert {answer[:15] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert {answer.partition(b"\r\n\r\n")[2] for answer in answers} == {b'{"id":1,"name":"Espresso machine"}\n'}


def test_a_stop_begins_with_not_ready(serve: Serve) -> None:
    """While it drains it serves on, tells probes that it is not ready, and asks its callers to let go."""
    service = serve("product.app", DRAIN_SECONDS="20")
    service.child.process.send_signal(signal.SIGTERM)
    eventually(lambda: service.get("/readyz").status_code == 503, "not ready")
    answer = service.get("/products/1")

    assert answer.ok
    assert answer.headers["Connection"] == "close"
    assert service.child.process.poll() is None
    service.child.kill()


def test_idle_connections_do_not_hold_up_a_stop(serve: Serve) -> None:
    """A caller that keeps its connection for an hour is closed, long before the time to stop is over."""
    service = serve("product.app", STOP_SECONDS="60")
    with requests.Session() as session:
        assert session.get(service.url, timeout=10).ok
        assert service.child.stop(signal.SIGTERM, seconds=30) == 0


def test_a_request_that_never_ends_is_given_up(serve: Serve) -> None:
    """The time to stop is bounded."""
    service = serve("product.app", FAULT_DELAY_MS="600000", STOP_SECONDS="1")
    with asking(service):
        assert service.child.stop(signal.SIGTERM, seconds=30) == 0
