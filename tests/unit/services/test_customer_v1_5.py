"""Customer 1.5: what it says more than 1.0."""

from __future__ import annotations

from services.chassis.config import Config
from services.customer import app, v1_5


def test_it_says_more_of_everything() -> None:
    """All that 1.0 returned is still there, and each has something that it did not have."""
    clients = [one.create_app(Config()).test_client() for one in (app, v1_5)]
    before, after = (client.get("/customers").get_json()["customers"] for client in clients)

    assert before
    assert all(old.items() < new.items() for old, new in zip(before, after, strict=True))
