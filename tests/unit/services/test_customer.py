"""Customer through Flask's test client: what it answers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from services.chassis.config import Config
from services.customer.app import create_app


@pytest.fixture
def client() -> FlaskClient:
    return create_app(Config()).test_client()


def test_home_is_its_line(client: FlaskClient) -> None:
    """As the webinar's services answered."""
    assert '{"Service":"Customer","Version":1.0}\n' == client.get("/").text


def test_all_and_one_agree(client: FlaskClient) -> None:
    """What the list has of each is what it answers itself."""
    everything = client.get("/customers").get_json()["customers"]

    assert everything
    assert everything == [client.get(f"/customers/{one['id']}").get_json() for one in everything]


def test_what_is_not_there_is_told(client: FlaskClient) -> None:
    """404, with the number that was asked for."""
    answer = client.get("/customers/99")

    assert (404, "there is no customer 99") == (answer.status_code, answer.get_json()["error"]["message"])
