"""Real services for the contract tests: gunicorn on loopback, exactly as they are deployed."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support.process import Child, free_port, running

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Service:
    """A running service and how to reach it."""

    child: Child
    port: int
    control_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(self.url + path, headers=named, timeout=30)

    def control(self, method: str, path: str, document: object = None, **headers: str) -> requests.Response:
        url = f"http://127.0.0.1:{self.control_port}{path}"
        return requests.request(method, url, json=document, headers=headers, timeout=30)

    @property
    def lines(self) -> list[str]:
        return self.child.output.splitlines()


Serve = Callable[..., Service]


@contextlib.contextmanager
def started(module: str, **variables: str) -> Iterator[Service]:
    """`services.<module>:create_app()` under gunicorn, ready, with `variables` in its environment."""
    port, control = free_port(), free_port()
    env = {"PORT": str(port), "CONTROL_PORT": str(control), "DRAIN_SECONDS": "0.1", **variables}
    command = [sys.executable, "-m", "gunicorn", "-c", "services/gunicorn.conf.py"]
    with running([*command, f"services.{module}:create_app()"], env=env, cwd=ROOT) as child:
        service = Service(child, port, control)
        child.wait_for(lambda: service.get("/readyz").ok, f"{module} is ready")
        yield service


def asking(service: Service) -> socket.socket:
    """A connection on which a request is under way: sent, and not answered yet."""
    caller = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    caller.sendall(b"GET /products/1 HTTP/1.1\r\nHost: product\r\n\r\n")
    return caller


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts services for the length of a test."""
    with contextlib.ExitStack() as stack:
        yield lambda module, **variables: stack.enter_context(started(module, **variables))


@pytest.fixture
def shop(serve: Serve) -> Callable[..., Service]:
    """Starts all three and gives order: `shop(product="product.v2_0", TRACING="off")`."""

    def start(product: str = "product.app", customer: str = "customer.app", **variables: str) -> Service:
        urls = {
            "PRODUCT_URL": serve(product, **variables).url,
            "CUSTOMER_URL": serve(customer, **variables).url,
        }
        return serve("order.app", **urls, **variables)

    return start


@pytest.fixture(scope="module")
def quiet_shop() -> Iterator[dict[str, Service]]:
    """The three of version 1 and the two later versions, for tests that only read; one start for a whole module."""
    with contextlib.ExitStack() as stack:
        found = {
            name: stack.enter_context(started(module))
            for name, module in {
                "product/1.0": "product.app",
                "product/2.0": "product.v2_0",
                "customer/1.0": "customer.app",
                "customer/1.5": "customer.v1_5",
            }.items()
        }
        found["order/1.0"] = stack.enter_context(
            started("order.app", PRODUCT_URL=found["product/2.0"].url, CUSTOMER_URL=found["customer/1.0"].url)
        )
        yield found
