"""What a service writes to its log."""

from __future__ import annotations

import json

import pytest

from tests.contract.services.conftest import Serve
from tests.support.process import NotReachedError, eventually

TRACE = "6b036592a84b12eef7a0f79802a2e901"


def test_every_line_is_json_and_requests_carry_their_trace(serve: Serve) -> None:
    """One line a request with status, milliseconds, the caller's trace and request id; gunicorn's own lines as well."""
    service = serve("product.app")
    service.get(
        "/products/1?card=4111",
        traceparent=f"00-{TRACE}-00f067aa0ba902b7-01",
        x_request_id="r-1",
        Authorization="Bearer s3cret",
        Cookie="session=s3cret",
    )
    service.get("/nowhere")
    eventually(lambda: "/nowhere" in service.child.output, "both are logged")
    lines = [json.loads(line) for line in service.lines]
    requests = [line for line in lines if "status" in line]

    assert [(line["message"], line["status"]) for line in requests] == [("GET /products/1", 200), ("GET /nowhere", 404)]
    assert (requests[0]["trace"], requests[0]["request"], requests[0]["service"]) == (TRACE, "r-1", "product/1.0")
    assert requests[0]["ms"] >= 0
    assert len(requests[1]["trace"]) == 32
    assert "s3cret" not in service.child.output
    assert "4111" not in service.child.output


def test_an_order_and_its_calls_are_logged_under_one_trace(serve: Serve) -> None:
    """Also without an endpoint for spans: a request that brings no trace gets one, and the peers are told."""
    product, customer = serve("product.app"), serve("customer.app")
    order = serve("order.app", PRODUCT_URL=product.url, CUSTOMER_URL=customer.url)
    order.get("/orders/1")

    def trace_of(output: str) -> str:
        return next(str(json.loads(line)["trace"]) for line in output.splitlines() if '"trace"' in line)

    assert trace_of(order.child.output) == trace_of(product.child.output) == trace_of(customer.child.output)


def test_a_level_above_info_leaves_requests_out(serve: Serve) -> None:
    """Only what failed is logged then."""
    service = serve("product.app", LOG_LEVEL="ERROR")
    service.get("/products/1")
    service.control("PUT", "/faults", {"errorShare": 1})
    service.get("/products/1")
    eventually(lambda: service.lines, "the failed one is logged")

    assert [json.loads(line)["status"] for line in service.lines] == [500]


def test_a_wrong_variable_is_one_clear_line(serve: Serve) -> None:
    """The service does not start, and says which variable has which value and what would be right."""
    with pytest.raises(NotReachedError) as failed:
        serve("product.app", FAULT_ERROR_SHARE="lots")

    assert "FAULT_ERROR_SHARE='lots' is not a share from 0 to 1; correct it or unset it" in str(failed.value)
    assert "Traceback" not in str(failed.value)
