"""What becomes of an order when a peer does not play along: a clear 502 or 504, in time, and nothing worse."""

from __future__ import annotations

import time

import pytest

from tests.contract.services.conftest import Serve
from tests.contract.services.peers import (
    Behaviour,
    closes_unasked,
    drips,
    drips_the_head,
    hangs,
    peer,
    resets,
    says,
    stops_early,
)
from tests.support.process import eventually, free_port

NO_ROUTE = says(b"", "404 Not Found", "x-envoy-response-flags: NR")
ADVICE = "add it to the backends of this service's virtual node, or a route that matches"
ENVOYS = says(b"no healthy upstream", "503 Service Unavailable")


@pytest.mark.parametrize(
    ("behave", "status", "cause"),
    [
        (resets, 502, "product broke the connection"),
        (stops_early, 502, "product broke the connection"),
        (says(b"<html>"), 502, "product answered something that is not a JSON object"),
        (says(b'{"id":1}\n<html>'), 502, "product answered something that is not a JSON object"),
        (says(b'{"id":1}\n[]'), 502, "product answered something that is not a JSON object"),
        (says(b"[]"), 502, "product answered something that is not a JSON object"),
        (says(b"\xff\xfe"), 502, "product answered something that is not a JSON object"),
        (says(b"{}" + b" " * (1 << 20)), 502, "product answered more than 1048576 bytes"),
        (ENVOYS, 502, "product answered 503: no healthy upstream"),
        (says(b"", "404 Not Found"), 502, "product answered 404"),
        (NO_ROUTE, 502, f"product was not called: the sidecar has no route to 127.0.0.1; {ADVICE}"),
        (says(b"", "404 Not Found", "x-envoy-response-flags: UH"), 502, "product answered 404"),
        (says(b"", "302 Found", "Location: http://example.com/"), 502, "product answered 302"),
        (hangs, 504, "product gave no complete answer within 0.5 s"),
        (drips, 504, "product gave no complete answer within 0.5 s"),
        (drips_the_head, 504, "product gave no complete answer within 0.5 s"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_bad_peer_becomes_a_clear_error(serve: Serve, behave: Behaviour, status: int, cause: str) -> None:
    """The answer says which peer and what happened, names the peer that did answer, and order serves on."""
    customer = serve("customer.app")
    with peer(behave) as product:
        order = serve("order.app", CUSTOMER_URL=customer.url, PRODUCT_URL=product, PEER_TIMEOUT_SECONDS="0.5")
        before = time.monotonic()
        answer = order.get("/orders/1")

        assert (answer.status_code, answer.json()["error"]["message"]) == (status, cause)
        assert answer.json()["error"]["peer"] == "product"
        assert answer.headers["x-peer-versions"] == "customer/1.0"
        assert answer.headers["x-service-version"] == "order/1.0"
        # Far from the 60 s that the peer would hang: the deadline held, whatever the machine does beside.
        assert time.monotonic() - before < 20
        assert "Traceback" not in order.child.output
        assert order.get("/orders").ok


def test_a_peer_that_is_not_there_is_named(serve: Serve) -> None:
    """Both peers refuse: both are named, and no version is."""
    nobody = f"http://127.0.0.1:{free_port()}"
    answer = serve("order.app", CUSTOMER_URL=nobody, PRODUCT_URL=nobody).get("/orders/1")

    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "customer refused the connection; product refused the connection"
    assert "x-peer-versions" not in answer.headers


def test_home_fails_as_clearly(serve: Serve) -> None:
    """The webinar's lines are not given half."""
    nobody = f"http://127.0.0.1:{free_port()}"

    assert serve("order.app", CUSTOMER_URL=nobody, PRODUCT_URL=nobody).get("/").status_code == 502


def test_a_restarted_peer_is_found_again(serve: Serve) -> None:
    """A pooled connection that the peer has closed meanwhile is not used for the next call."""
    closed: list[bytes] = []
    with peer(closes_unasked, closed) as product:
        order = serve("order.app", CUSTOMER_URL=product, PRODUCT_URL=product)
        for count in (2, 4, 6):
            assert order.get("/orders/1").status_code == 200
            eventually(lambda count=count: len(closed) == count, "the peer has closed")  # type: ignore[misc]  # bound now


def test_a_name_that_does_not_exist_is_the_cause(serve: Serve) -> None:
    """Without a sidecar the virtual services' names cannot be resolved; the error says so."""
    answer = serve("order.app", PRODUCT_URL="http://product.invalid", CUSTOMER_URL="http://customer.invalid").get("/")

    assert "product has a name that cannot be resolved" in answer.json()["error"]["message"]


def test_calls_go_through_the_sidecar(serve: Serve) -> None:
    """With HTTP_PROXY the proxy is asked in absolute form, by the virtual service's name; NO_PROXY changes nothing."""
    seen: list[bytes] = []
    with peer(says(b'{"id": 1}'), seen) as proxy:
        answer = serve("order.app", HTTP_PROXY=proxy, NO_PROXY="*").get("/orders/1")

    assert answer.ok
    assert sorted(request.split(b"\r\n")[0] for request in seen) == [
        b"GET http://customer.default.svc.cluster.local:5000/customers/1 HTTP/1.1",
        b"GET http://product.default.svc.cluster.local:5000/products/1 HTTP/1.1",
    ]
    assert b"Host: product.default.svc.cluster.local:5000" in b"".join(seen)
