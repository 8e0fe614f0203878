"""Product 1.0: what the shop sells.

GET /products          all of them
GET /products/<id>     one, or 404
GET /                  which service and version this is, as the webinar's services answered
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from flask import Flask, Response, abort

from services.chassis.config import Config
from services.chassis.service import json_answer, new_service, text_answer, to_json, webinar_line

NAME = "product"
VERSION = "1.0"

Product = Mapping[str, object]

PRODUCTS: Mapping[int, Product] = {
    1: {"name": "Espresso machine"},
    2: {"name": "Coffee grinder"},
    3: {"name": "Milk frother"},
    4: {"name": "Cup"},
}


def create_app(config: Config | None = None) -> Flask:
    return serve(PRODUCTS, VERSION, config)


def serve(products: Mapping[int, Product], version: str, config: Config | None) -> Flask:
    """The service with these products; a later version brings its own, and its own number."""
    app = new_service(NAME, version, config or Config.from_environ(os.environ))
    line = webinar_line(NAME, version)
    documents = {number: {"id": number, **product} for number, product in products.items()}
    everything = to_json({"products": list(documents.values())})
    each = {number: to_json(document) for number, document in documents.items()}

    @app.get("/")
    def home() -> Response:
        return text_answer(line)

    @app.get("/products")
    def all_products() -> Response:
        return json_answer(everything)

    @app.get("/products/<int:number>")
    def one_product(number: int) -> Response:
        if number not in each:
            abort(404, f"there is no product {number}")
        return json_answer(each[number])

    return app
