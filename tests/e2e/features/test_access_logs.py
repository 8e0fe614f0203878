"""Access logs of virtual nodes, as a real Envoy writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Document
from tests.e2e.xds.running import Mesh, Sidecar, Upstream
from tests.support.policies import ANYTHING
from tests.support.process import eventually
from tests.support.shop import PRODUCT, shop


def logging(path: Path | str, **format_: Any) -> Document:
    return {"accessLog": {"file": {"path": str(path), **({"format": format_} if format_ else {})}}}


@pytest.fixture
def host_policy() -> HostPolicy:
    """Logs in temporary folders are allowed."""
    return ANYTHING


@pytest.fixture
def order(mesh: Mesh, upstream: Upstream) -> Sidecar:
    """The caller's sidecar; product's runs too."""
    mesh.put(*shop())
    mesh.sidecar("product", upstream)
    return mesh.sidecar("order", ports=())


@pytest.mark.feature(26)
def test_caller_and_callee_log_a_request(mesh: Mesh, order: Sidecar, tmp_path: Path) -> None:
    """One line each, as text with its line ends and as JSON with its types, into a file of the proxy's file system."""
    text, objects = tmp_path / "order.log", tmp_path / "product.log"
    status = {"key": "status", "value": "%RESPONSE_CODE%"}
    missing = {"key": "missing", "value": "%REQ(X-NONE)%"}
    mesh.converge(
        mesh.put(
            *shop(
                logging(text, text="%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %UPSTREAM_CLUSTER%"),
                logging(objects, json=[status, missing]),
            )
        )
    )
    for path in ("a", "b"):
        eventually(lambda path=path: order.get(PRODUCT + path) == (200, "v1"), "product answers")  # type: ignore[misc]

    eventually(lambda: text.read_text().count("\n") >= 2 and objects.read_text().count("\n") >= 2, "both have logged")
    cluster = "cds_egress_shop_product_http_5000"
    assert [f"GET /a 200 {cluster}", f"GET /b 200 {cluster}"] == text.read_text().splitlines()
    assert [{"status": 200, "missing": None}] * 2 == [json.loads(line) for line in objects.read_text().splitlines()]


@pytest.mark.feature(26)
def test_a_log_that_cannot_be_written_costs_nothing_else(mesh: Mesh, order: Sidecar, tmp_path: Path) -> None:
    """A folder that is not there is refused by the proxy, which goes on as before, and the refusal names the path."""
    mesh.put(*shop(logging(tmp_path / "missing" / "order.log")))
    refused = eventually(lambda: mesh.statuses()["order-1"].refused, "order's refusal")

    assert "listeners" == refused.type
    assert "missing/order.log" in refused.message
    assert (200, "v1") == order.get(PRODUCT)

    mesh.converge(mesh.put(*shop(logging("/dev/stdout"))))
    order.get(PRODUCT)
    eventually(lambda: '"GET / HTTP/1.1" 200' in order.child.output, "it logs to its own output")
