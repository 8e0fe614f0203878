"""Trace headers: reading both spellings, writing both, and passing on."""

from __future__ import annotations

import pytest

from services.chassis.tracing import HeaderPropagation, new_trace_id, trace_headers, trace_id

TRACE, SPAN = "6b036592a84b12eef7a0f79802a2e901", "00f067aa0ba902b7"


def test_both_spellings_name_the_same_trace() -> None:
    """What is written as one context is read as one, from either header."""
    headers = trace_headers(TRACE, SPAN, sampled=True)

    assert headers["traceparent"] == f"00-{TRACE}-{SPAN}-01"
    assert headers["x-amzn-trace-id"] == f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"
    assert {trace_id({name: value}) for name, value in headers.items()} == {TRACE}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": ""},
        {"traceparent": "00"},
        {"traceparent": f"00-{TRACE[:-1]}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE.upper()}-{SPAN}-01"},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"x-amzn-trace-id": "Root"},
        {"x-amzn-trace-id": "Root=1-6b036592;Parent=x"},
        {"x-amzn-trace-id": ";;=;"},
    ],
)
def test_what_is_malformed_names_no_trace(headers: dict[str, str]) -> None:
    """Anyone can send anything."""
    assert trace_id(headers) is None


def test_a_broken_w3c_header_does_not_hide_amazons() -> None:
    """The one that can be read counts."""
    headers = trace_headers(TRACE, SPAN, sampled=True) | {"traceparent": "junk"}

    assert trace_id(headers) == TRACE


def test_new_ids_are_distinct_and_well_formed() -> None:
    """32 hex digits, and never twice the same."""
    ids = {new_trace_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(trace_id({"traceparent": f"00-{one}-{SPAN}-00"}) == one for one in ids)


def test_headers_are_passed_on_as_they_came() -> None:
    """The one who records nothing changes nothing, and hands on what joins the mesh's own spans."""
    environ = {
        "HTTP_TRACEPARENT": f"00-{TRACE}-{SPAN}-01",
        "HTTP_X_REQUEST_ID": "r-1",
        "HTTP_X_CANARY": "1",
        "HTTP_COOKIE": "secret",
    }
    trace = HeaderPropagation(ids=True).begin(environ)

    assert trace.id == TRACE
    assert trace.call("product", "http://product/").headers == {
        "traceparent": f"00-{TRACE}-{SPAN}-01",
        "x-request-id": "r-1",
        "x-canary": "1",
    }


def test_a_request_without_a_trace_gets_ids_only_when_asked_for() -> None:
    """With `otel` the logs can be joined; with `off` nothing is added. Both calls share the one context."""
    trace = HeaderPropagation(ids=True).begin({})
    headers = trace.call("product", "").headers

    assert trace.id == trace_id(headers)
    assert headers["traceparent"].endswith("-00")
    assert headers == trace.call("customer", "").headers
    assert (
        HeaderPropagation(ids=False).begin({}).id,
        HeaderPropagation(ids=False).begin({}).call("product", "").headers,
    ) == (None, {})
