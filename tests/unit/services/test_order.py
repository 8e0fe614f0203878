"""Order through Flask's test client: what it asks its peers."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

import services.customer.app
import services.order.app
import services.product.app
from services.chassis.config import Config
from services.chassis.peers import PeerAnswer, Peers


def test_every_order_refers_to_what_exists() -> None:
    """No order of the shop is broken by its own data."""
    for order in services.order.app.ORDERS.values():
        assert order["customer"] in services.customer.app.CUSTOMERS
        assert order["product"] in services.product.app.PRODUCTS


def test_an_order_that_does_not_exist_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """404 without a call; an order that exists asks for its own customer and product."""
    asked: list[Mapping[str, str]] = []

    def ask(self: Peers, paths: Mapping[str, str]) -> dict[str, PeerAnswer]:
        asked.append(paths)
        return {peer: PeerAnswer(b"{}", {"at": path}) for peer, path in paths.items()}

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
