"""Product 2.0: as 1.0, and every product has a price, a stock and a rating."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from services.chassis.config import Config
from services.product.app import PRODUCTS, Product, serve

VERSION = "2.0"

DETAILS: Mapping[int, Product] = {
    1: {"price": {"amount": "649.00", "currency": "USD"}, "stock": 12, "rating": 4.6},
    2: {"price": {"amount": "129.00", "currency": "USD"}, "stock": 40, "rating": 4.3},
    3: {"price": {"amount": "39.90", "currency": "USD"}, "stock": 0, "rating": 3.9},
    4: {"price": {"amount": "7.50", "currency": "USD"}, "stock": 800, "rating": 4.8},
}


def create_app(config: Config | None = None) -> Flask:
    return serve({number: {**product, **DETAILS[number]} for number, product in PRODUCTS.items()}, VERSION, config)
