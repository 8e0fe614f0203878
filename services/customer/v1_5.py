"""Customer 1.5: as 1.0, and every customer has a tier of loyalty."""

from __future__ import annotations

from flask import Flask

from services.chassis.config import Config
from services.customer.app import CUSTOMERS, serve

VERSION = "1.5"

TIERS = {1: "gold", 2: "silver", 3: "bronze"}


def create_app(config: Config | None = None) -> Flask:
    customers = {number: {**customer, "tier": TIERS[number]} for number, customer in CUSTOMERS.items()}
    return serve(customers, VERSION, config)
