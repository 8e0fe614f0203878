"""Order 1.0: who ordered what; the way in, and the one that calls the others.

GET /orders            all orders, by number
GET /orders/<id>       one, joined with its customer and its product, or 404
GET /                  this service's line, then customer's and product's, as the webinar's order answered
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from flask import Flask, Response, abort

from services.chassis.config import Config
from services.chassis.peers import Peers
from services.chassis.service import json_answer, new_service, text_answer, to_json, webinar_line

NAME = "order"
VERSION = "1.0"

Order = Mapping[str, object]

ORDERS: Mapping[int, Order] = {
    1: {"customer": 1, "product": 1, "quantity": 1},
    2: {"customer": 1, "product": 4, "quantity": 6},
    3: {"customer": 2, "product": 2, "quantity": 1},
    4: {"customer": 3, "product": 3, "quantity": 2},
    5: {"customer": 2, "product": 1, "quantity": 1},
}


def create_app(config: Config | None = None) -> Flask:
    return serve(ORDERS, VERSION, config)


def serve(orders: Mapping[int, Order], version: str, config: Config | None) -> Flask:
    """The service with these orders; a later version brings its own, and its own number."""
    config = config or Config.from_environ(os.environ)
    app = new_service(NAME, version, config)
    peers = Peers(config, "customer", "product")
    line = webinar_line(NAME, version)
    everything = to_json({"orders": [{"id": number, **order} for number, order in orders.items()]})

    @app.get("/")
    def home() -> Response:
        answers = peers.ask({"customer": "/", "product": "/"})
        return text_answer(line + answers["customer"].body + answers["product"].body)

    @app.get("/orders")
    def all_orders() -> Response:
        return json_answer(everything)

    @app.get("/orders/<int:number>")
    def one_order(number: int) -> Response:
        order = orders.get(number)
        if order is None:
            abort(404, f"there is no order {number}")
        # The order exists: a peer that does not know its part of it is a 502, not a 404.
        answers = peers.ask({"customer": f"/customers/{order['customer']}", "product": f"/products/{order['product']}"})
        return json_answer(
            to_json(
                {
                    "id": number,
                    **order,
                    "customer": answers["customer"].document,
                    "product": answers["product"].document,
                }
            )
        )

    return app
