"""Customer 1.0: who buys in the shop.

GET /customers         all of them
GET /customers/<id>    one, or 404
GET /                  which service and version this is, as the webinar's services answered
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from flask import Flask, Response, abort

from services.chassis.config import Config
from services.chassis.service import json_answer, new_service, text_answer, to_json, webinar_line

NAME = "customer"
VERSION = "1.0"

Customer = Mapping[str, object]

CUSTOMERS: Mapping[int, Customer] = {
    1: {"name": "Ada Lovelace", "city": "London"},
    2: {"name": "Grace Hopper", "city": "New York"},
    3: {"name": "Alan Turing", "city": "Manchester"},
}


def create_app(config: Config | None = None) -> Flask:
    return serve(CUSTOMERS, VERSION, config)


def serve(customers: Mapping[int, Customer], version: str, config: Config | None) -> Flask:
    """The service with these customers; a later version brings its own, and its own number."""
    app = new_service(NAME, version, config or Config.from_environ(os.environ))
    line = webinar_line(NAME, version)
    documents = {number: {"id": number, **customer} for number, customer in customers.items()}
    everything = to_json({"customers": list(documents.values())})
    each = {number: to_json(document) for number, document in documents.items()}

    @app.get("/")
    def home() -> Response:
        return text_answer(line)

    @app.get("/customers")
    def all_customers() -> Response:
        return json_answer(everything)

    @app.get("/customers/<int:number>")
    def one_customer(number: int) -> Response:
        if number not in each:
            abort(404, f"there is no customer {number}")
        return json_answer(each[number])

    return app
