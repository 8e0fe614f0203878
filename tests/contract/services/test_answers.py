"""What the services answer, as anyone sees it who calls them over HTTP."""

from __future__ import annotations

import pytest
import requests

from tests.contract.services.conftest import Service

ALL = ("product/1.0", "product/2.0", "customer/1.0", "customer/1.5", "order/1.0")
Shop = dict[str, Service]


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/nowhere", "/products/1", "/customers/99", "/orders"])
def test_every_answer_names_the_version_that_gave_it(quiet_shop: Shop, version: str, path: str) -> None:
    """Whatever is asked, and whether it goes well or not, the header says who answered."""
    assert quiet_shop[version].get(path).headers["x-service-version"] == version


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ("product/1.0", '{"Service":"Product","Version":1.0}\n'),
        ("product/2.0", '{"Service":"Product","Version":2.0}\n'),
        ("customer/1.5", '{"Service":"Customer","Version":1.5}\n'),
        (
            "order/1.0",
            '{"Service":"Order","Version":1.0}\n'
            '{"Service":"Customer","Version":1.0}\n'
            '{"Service":"Product","Version":2.0}\n',
        ),
    ],
)
def test_home_answers_the_webinars_lines(quiet_shop: Shop, version: str, lines: str) -> None:
    """One JSON line a service, order's followed by customer's and product's."""
    assert quiet_shop[version].get("/").text == lines


def test_an_order_joins_its_customer_and_its_product(quiet_shop: Shop) -> None:
    """One document holds the order, the customer and the product, as their services describe them."""
    order = quiet_shop["order/1.0"].get("/orders/2")

    assert order.json() == {
        "id": 2,
        "quantity": 6,
        "customer": quiet_shop["customer/1.0"].get("/customers/1").json(),
        "product": quiet_shop["product/2.0"].get("/products/4").json(),
    }
    assert order.headers["x-peer-versions"] == "customer/1.0, product/2.0"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [("product/1.0", "product/2.0", "/products/1"), ("customer/1.0", "customer/1.5", "/customers/1")],
)
def test_a_later_version_returns_more(quiet_shop: Shop, old: str, new: str, path: str) -> None:
    """All that the old version returned is still there, and something that it did not return."""
    before, after = quiet_shop[old].get(path).json(), quiet_shop[new].get(path).json()

    assert before.items() < after.items()


def test_a_connection_is_kept_open(quiet_shop: Shop) -> None:
    """Callers may pool: the server does not close after an answer."""
    assert quiet_shop["product/1.0"].get("/").headers["Connection"] == "keep-alive"


def test_an_answer_without_a_body_is_sent(quiet_shop: Shop) -> None:
    """HEAD gets the head of what GET gets, at once, though head and body else leave in one packet."""
    service = quiet_shop["product/1.0"]
    head = requests.head(f"{service.url}/products/1", timeout=10)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(service.get("/products/1").content))
