"""A stop loses nothing: not ready first, what is in flight is answered, and the spans are sent."""

from __future__ import annotations

import signal
import socket
import threading

import requests

from tests.contract.services.conftest import Serve, Service
from tests.support.process import eventually


def in_flight(service: Service, count: int) -> tuple[list[int], list[threading.Thread]]:
    """`count` requests under way; the statuses they get, in a list that fills."""
    statuses: list[int] = []

    def one() -> None:
        try:
            statuses.append(service.get("/products/1").status_code)
        except requests.RequestException:
            statuses.append(0)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    return statuses, threads


def test_requests_in_flight_are_answered(serve: Serve) -> None:
    """Twenty slow requests are under way when SIGTERM comes: all are answered, then the process ends well."""
    service = serve("product.app", FAULT_DELAY_MS="700", LOG_LEVEL="DEBUG")
    statuses, threads = in_flight(service, 20)
    eventually(lambda: service.connections >= 20, "the requests are under way")
    code = service.child.stop(signal.SIGTERM)
    for thread in threads:
        thread.join(20)

    assert statuses == [200] * 20
    assert code == 0


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
    with socket.create_connection(("127.0.0.1", service.port)) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: service.connections >= 1, "the request is under way")

        assert service.child.stop(signal.SIGTERM, seconds=30) == 0
