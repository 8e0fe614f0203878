"""The services through Flask's test client: routes, versions, and the one shape of errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest
from flask import Flask

import services.customer.app
import services.customer.v1_5
import services.order.app
import services.product.app
import services.product.v2_0
from services.chassis.config import Config
from services.chassis.errors import BadPeerError, LatePeerError
from services.chassis.peers import Answer, Peers
from services.chassis.service import new_service

APPS = {
    "product/1.0": services.product.app.create_app,
    "product/2.0": services.product.v2_0.create_app,
    "customer/1.0": services.customer.app.create_app,
    "customer/1.5": services.customer.v1_5.create_app,
    "order/1.0": services.order.app.create_app,
}


@pytest.mark.parametrize("version", APPS)
def test_the_environment_cannot_change_a_version(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by the webinar's own variables."""
    for variable in ("SVC_NAME", "SVC_VER", "VERSION", "SERVICE_VERSION", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(variable, "9.9")
    answer = APPS[version]().test_client().get("/healthz")

    assert answer.headers["x-service-version"] == version


@pytest.mark.parametrize("version", APPS)
def test_all_and_one_agree(version: str) -> None:
    """What the list has of an item is what the item itself answers; order's has the numbers to ask by."""
    client = APPS[version](Config()).test_client()
    plural = version.split("/")[0] + "s"
    everything = client.get(f"/{plural}").get_json()[plural]

    assert [item["id"] for item in everything] == list(range(1, len(everything) + 1))
    if plural != "orders":
        assert everything == [client.get(f"/{plural}/{item['id']}").get_json() for item in everything]


def test_every_order_refers_to_what_exists() -> None:
    """No order of the shop is broken by its own data."""
    for order in services.order.app.ORDERS.values():
        assert order["customer"] in services.customer.app.CUSTOMERS
        assert order["product"] in services.product.app.PRODUCTS


def test_later_versions_say_more_of_everything() -> None:
    """No product lacks price, stock or rating in 2.0, no customer a tier in 1.5."""
    products = services.product.v2_0.create_app(Config()).test_client().get("/products").get_json()["products"]
    customers = services.customer.v1_5.create_app(Config()).test_client().get("/customers").get_json()["customers"]

    assert all({"price", "stock", "rating"} <= product.keys() for product in products)
    assert all("tier" in customer for customer in customers)


class TestErrors:
    """Every error: its status, and `{"error": {"status", "reason", "message"}}`, with `peer` when one is to blame."""

    @pytest.fixture
    def app(self) -> Flask:
        app = new_service("broken", "1.0", Config())

        failures = {
            "late": LatePeerError("p", "was late"),
            "bad": BadPeerError("p", "is bad"),
            "bug": KeyError("s3cret"),
        }

        @app.get("/<what>")
        def fail(what: str) -> str:
            raise failures[what]

        return app

    @pytest.mark.parametrize(
        ("method", "path", "status", "error"),
        [
            ("GET", "/no/where", 404, {"reason": "Not Found"}),
            ("POST", "/bug", 405, {"reason": "Method Not Allowed"}),
            ("GET", "/late", 504, {"reason": "Gateway Timeout", "message": "p was late", "peer": "p"}),
            ("GET", "/bad", 502, {"reason": "Bad Gateway", "message": "p is bad", "peer": "p"}),
            ("GET", "/bug", 500, {"reason": "Internal Server Error"}),
        ],
    )
    def test_shape(
        self,
        app: Flask,
        method: str,
        path: str,
        status: int,
        error: Mapping[str, str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The status is in the line and in the body, and nothing of a bug but its existence is told."""
        answer = app.test_client().open(path, method=method)
        body = answer.get_json()

        assert answer.status_code == body["error"]["status"] == status
        assert body["error"].items() >= error.items()
        assert body.keys() == {"error"}
        assert body["error"].keys() <= {"status", "reason", "message", "peer"}
        assert ("peer" in body["error"]) == (status in (502, 504))
        assert answer.headers["x-service-version"] == "broken/1.0"
        assert answer.mimetype == "application/json"
        assert "s3cret" not in answer.get_data(as_text=True)

    def test_a_bug_is_logged_with_its_traceback(self, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
        """The log is where to find what the caller is not told."""
        app.test_client().get("/bug")
        record = next(record for record in caplog.records if record.levelno == logging.ERROR and record.exc_info)

        assert record.exc_info
        assert isinstance(record.exc_info[1], KeyError)

    def test_405_names_what_is_allowed(self, app: Flask) -> None:
        """As HTTP demands."""
        assert "GET" in app.test_client().post("/bug").headers["Allow"]


def test_an_order_that_does_not_exist_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """404 without a call; an order that exists asks for its own customer and product."""
    asked: list[Mapping[str, str]] = []

    def ask(self: Peers, paths: Mapping[str, str]) -> dict[str, Answer]:
        asked.append(paths)
        return {peer: Answer(b"{}", {"at": path}) for peer, path in paths.items()}

    monkeypatch.setattr(Peers, "ask", ask)
    client = services.order.app.create_app(Config()).test_client()

    assert client.get("/orders/99").status_code == client.get("/orders/one").status_code == 404
    assert not asked
    assert json.loads(client.get("/orders/4").data) == {
        "id": 4,
        "quantity": 2,
        "customer": {"at": "/customers/3"},
        "product": {"at": "/products/3"},
    }
