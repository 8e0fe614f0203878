"""Spans and segments, as a collector and an X-Ray daemon receive them from real services."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.contract.services.conftest import Serve, Service, asking
from tests.contract.services.peers import hangs, peer, says
from tests.support.process import eventually, free_port

ORDERS = 50
TRACE, PARENT = "6b036592a84b12eef7a0f79802a2e901", "00f067aa0ba902b7"
W3C = f"00-{TRACE}-{PARENT}-01"
AMAZON = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"

Span = dict[str, Any]


class Collector:
    """An OTLP/HTTP receiver: https://opentelemetry.io/docs/specs/otlp/#otlphttp"""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json":
                    for resource in json.loads(body)["resourceSpans"]:
                        attributes = _attributes(resource["resource"])
                        for scope in resource["scopeSpans"]:
                            collector.spans += [
                                {**span, "service": attributes["service.name"]} for span in scope["spans"]
                            ]
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


class Daemon:
    """An X-Ray daemon: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon"""

    def __init__(self) -> None:
        self.segments: list[Span] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._over = False
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        while not self._over:
            with contextlib.suppress(TimeoutError):
                header, _, segment = self._socket.recv(1 << 16).partition(b"\n")
                assert json.loads(header) == {"format": "json", "version": 1}
                self.segments.append(json.loads(segment))

    def close(self) -> None:
        self._over = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    found = Daemon()
    yield found
    found.close()


def _attributes(owner: Span) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in owner.get("attributes", [])}


def _many(order: Service) -> None:
    with ThreadPoolExecutor(ORDERS) as crowd:
        answers = list(crowd.map(lambda _: order.get("/orders/1").status_code, range(ORDERS)))
    assert answers == [200] * ORDERS


def test_spans_of_concurrent_orders_are_not_mixed_up(shop: Callable[..., Service], collector: Collector) -> None:
    """50 orders at once: 50 traces, in each the order, its two calls, and what served them; and no orphan."""
    order = shop(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, HTTP_PROXY="")
    _many(order)
    eventually(lambda: len(collector.spans) >= 5 * ORDERS, "all spans have arrived", 30)
    spans = {span["spanId"]: span for span in collector.spans}
    roots = [span for span in spans.values() if not span.get("parentSpanId")]

    assert len(spans) == len(collector.spans) == 5 * ORDERS
    assert len({root["traceId"] for root in roots}) == len(roots) == ORDERS
    assert {(root["service"], root["name"]) for root in roots} == {("order", "GET /orders/<int:number>")}
    children: dict[str, Counter[str]] = {}
    for span in spans.values():
        if parent := spans.get(span.get("parentSpanId", "")):
            assert span["traceId"] == parent["traceId"]
            children.setdefault(parent["spanId"], Counter())[f"{span['service']}: {span['name']}"] += 1
        else:
            assert not span.get("parentSpanId")
    for root in roots:
        assert children[root["spanId"]] == {"order: GET customer": 1, "order: GET product": 1}
    served = Counter(kind for counted in children.values() for kind in counted.elements())
    assert served["product: GET /products/<int:number>"] == served["customer: GET /customers/<int:number>"] == ORDERS


def test_segments_of_concurrent_orders_are_not_mixed_up(shop: Callable[..., Service], daemon: Daemon) -> None:
    """The same with the X-Ray SDK: 50 order segments, two subsegments each, each the parent of one peer's segment."""
    order = shop(TRACING="xray", AWS_XRAY_DAEMON_ADDRESS=daemon.address)
    _many(order)
    eventually(lambda: len(daemon.segments) >= 3 * ORDERS, "all segments have arrived", 30)
    orders = [segment for segment in daemon.segments if segment["name"] == "order"]
    peers = {segment["parent_id"]: segment for segment in daemon.segments if segment["name"] != "order"}

    assert len(daemon.segments) == 3 * ORDERS
    assert len({segment["trace_id"] for segment in orders}) == len(orders) == ORDERS
    assert len(peers) == 2 * ORDERS
    for segment in orders:
        assert "parent_id" not in segment
        assert sorted(call["name"] for call in segment["subsegments"]) == ["customer", "product"]
        for call in segment["subsegments"]:
            assert (call["namespace"], call["http"]["response"]["status"]) == ("remote", 200)
            served = peers.pop(call["id"])
            assert (served["name"], served["trace_id"]) == (call["name"], segment["trace_id"])
    assert not peers


@pytest.mark.parametrize("tracing", ["otel", "xray"])
@pytest.mark.parametrize("header", [{"traceparent": W3C}, {"X_Amzn_Trace_Id": AMAZON}], ids=["w3c", "x-ray"])
def test_a_callers_trace_is_taken_up_and_handed_on(
    serve: Serve, collector: Collector, daemon: Daemon, tracing: str, header: dict[str, str]
) -> None:
    """Whichever header the trace comes by, the peers are sent both, with the call as parent; and what goes along."""
    seen: list[bytes] = []
    with peer(says(b'{"id": 1}'), seen) as url:
        order = serve(
            "order.app",
            PRODUCT_URL=url,
            CUSTOMER_URL=url,
            TRACING=tracing,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            AWS_XRAY_DAEMON_ADDRESS=daemon.address,
        )
        assert order.get("/orders/1", x_request_id="r-1", x_canary="1", **header).ok
        assert order.child.stop() == 0
    if tracing == "otel":
        own = next(span for span in collector.spans if span["name"].endswith("<int:number>"))
        calls = {span["spanId"] for span in collector.spans if span is not own}
        assert (own["traceId"], own["parentSpanId"]) == (TRACE, PARENT)
    else:
        eventually(lambda: daemon.segments, "the segment has arrived")
        own = daemon.segments[0]
        calls = {call["id"] for call in own["subsegments"]}
        assert (own["trace_id"], own["parent_id"]) == (f"1-{TRACE[:8]}-{TRACE[8:]}", PARENT)
    sent = [
        {k.lower(): v for k, v in (line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if line)}
        for request in seen
    ]
    assert {request["traceparent"] for request in sent} == {f"00-{TRACE}-{call}-01" for call in calls}
    assert {request["x-amzn-trace-id"] for request in sent} == {
        f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={call};Sampled=1" for call in calls
    }
    assert [(request["x-request-id"], request["x-canary"]) for request in sent] == [("r-1", "1"), ("r-1", "1")]


@pytest.mark.parametrize("tracing", ["otel", "off"])
def test_without_an_endpoint_headers_are_passed_on_as_they_came(serve: Serve, tracing: str) -> None:
    """Nothing is recorded, so nothing may come between the caller and the peers."""
    seen: list[bytes] = []
    with peer(says(b'{"id": 1}'), seen) as url:
        order = serve("order.app", PRODUCT_URL=url, CUSTOMER_URL=url, TRACING=tracing)
        assert order.get("/orders/1", traceparent=W3C, tracestate="a=b").ok

    assert len(seen) == 2
    assert all(f"traceparent: {W3C}\r\ntracestate: a=b\r\n".encode() in request for request in seen)


def test_spans_waiting_at_a_stop_are_sent(serve: Serve, collector: Collector) -> None:
    """A batch waits for five seconds to fill; a stop does not throw it away, not even that of the last request."""
    product = serve("product.app", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, FAULT_DELAY_MS="300")
    with asking(product) as caller:
        assert product.child.stop() == 0
        assert caller.recv(15) == b"HTTP/1.1 200 OK"

    assert [span["name"] for span in collector.spans] == ["GET /products/<int:number>"]


def test_telemetry_does_not_go_through_the_sidecar(serve: Serve, collector: Collector) -> None:
    """With HTTP_PROXY set, spans still go straight to the collector: telemetry is not mesh traffic."""
    nobody = f"http://127.0.0.1:{free_port()}"
    product = serve("product.app", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, HTTP_PROXY=nobody, http_proxy=nobody)
    assert product.get("/products/1").ok
    assert product.child.stop() == 0

    assert [span["name"] for span in collector.spans] == ["GET /products/<int:number>"]


def test_a_dead_collector_harms_nobody(serve: Serve) -> None:
    """Requests are answered, and the stop is not held up for long."""
    product = serve("product.app", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")

    assert product.get("/products/1").ok
    assert product.child.stop(seconds=20) == 0


def test_failures_show_in_the_trace(serve: Serve, collector: Collector) -> None:
    """The call that failed is marked with its cause, and so is the order."""
    with peer(says(b'{"id": 1}')) as good:
        order = serve(
            "order.app",
            CUSTOMER_URL=good,
            PRODUCT_URL=f"http://127.0.0.1:{free_port()}",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
        assert order.get("/orders/1").status_code == 502
        assert order.child.stop() == 0
    spans = {span["name"]: span for span in collector.spans}

    assert _attributes(spans["GET product"])["error.type"] == "refused the connection"
    assert spans["GET product"]["status"]["code"] == spans["GET /orders/<int:number>"]["status"]["code"] == 2
    assert "code" not in spans["GET customer"].get("status", {})


def test_a_call_cut_off_at_the_deadline_is_closed_in_the_segment(serve: Serve, daemon: Daemon) -> None:
    """No subsegment stays open for ever: the one that was killed says so."""
    with peer(hangs) as slow:
        order = serve(
            "order.app",
            PRODUCT_URL=slow,
            CUSTOMER_URL=slow,
            TRACING="xray",
            PEER_TIMEOUT_SECONDS="0.2",
            AWS_XRAY_DAEMON_ADDRESS=daemon.address,
        )
        assert order.get("/orders/1").status_code == 504
        eventually(lambda: daemon.segments, "the segment has arrived")

    assert [(call["fault"], "end_time" in call) for call in daemon.segments[0]["subsegments"]] == [(True, True)] * 2
