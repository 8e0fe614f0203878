"""The switches at run time, and who can reach them."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from shopmesh.local.http import send_request
from tests.contract.services.conftest import Serve, Service, started


@pytest.fixture(scope="module")
def running_product() -> Iterator[Service]:
    with started("product.app") as service:
        yield service


@pytest.fixture
def product(running_product: Service) -> Iterator[Service]:
    """One process for all tests, as it was at the start for each of them."""
    yield running_product
    running_product.control("PUT", "/ready", {"ready": True})
    running_product.control("DELETE", "/faults")


def test_readiness_is_switched(product: Service) -> None:
    """Not ready is told to probes, while requests are still served."""
    assert product.control("PUT", "/ready", {"ready": False}).json() == {"ready": False}
    assert product.get("/readyz").status_code == 503
    assert product.get("/healthz").ok
    assert product.get("/products/1").ok
    assert product.control("PUT", "/ready", {"ready": True}).ok
    assert product.get("/readyz").ok


def test_faults_are_switched(product: Service) -> None:
    """All requests fail, then none; probes never do, and a fault, too, says which version it comes from."""
    assert product.control("PUT", "/faults", {"errorShare": 1}).json()["errorShare"] == 1
    faulty = product.get("/products/1")
    assert (faulty.status_code, faulty.headers["x-service-version"]) == (500, "product/1.0")
    assert faulty.json()["error"]["status"] == 500
    assert product.get("/healthz").ok
    assert product.get("/readyz").ok
    assert product.control("DELETE", "/faults").json()["errorShare"] == 0
    assert product.get("/products/1").ok


def test_a_seed_gives_the_same_sequence(product: Service, serve: Serve) -> None:
    """By variable in one process, by the switch in another, and again: the same requests fail."""
    told = serve("product.app", FAULT_ERROR_SHARE="0.5", FAULT_SEED="7")

    def sequence(service: Service) -> list[int]:
        return [service.get("/products/1").status_code for _ in range(30)]

    first = sequence(told)
    product.control("PUT", "/faults", {"errorShare": 0.5, "seed": 7})
    second = sequence(product)
    product.control("PUT", "/faults", {"errorShare": 0.5, "seed": 7})

    assert {200, 500} == set(first)
    assert first == second == sequence(product)


def test_a_switch_reaches_all_workers(serve: Serve) -> None:
    """Whichever process takes the request, none of them is ready any more, and all fail."""
    service = serve("product.app", WEB_CONCURRENCY="2")
    service.control("PUT", "/ready", {"ready": False})
    service.control("PUT", "/faults", {"errorShare": 1})

    assert {service.get("/readyz").status_code for _ in range(30)} == {503}
    assert {service.get("/products/1").status_code for _ in range(30)} == {500}


@pytest.mark.parametrize("path", ["/ready", "/faults"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_application_port_knows_no_switches(product: Service, path: str, host: str) -> None:
    """What comes through a sidecar comes from 127.0.0.1 with any header it likes: it is not believed."""
    tricks = {
        "Host": f"{host}:{product.control_port}",
        "X-Forwarded-For": "127.0.0.1",
        "Server-Port": str(product.control_port),
        "X-Forwarded-Port": str(product.control_port),
    }
    for method in ("GET", "PUT", "DELETE"):
        answer = requests.request(
            method, product.url + path, json={"errorShare": 1, "ready": False}, headers=tricks, timeout=30
        )
        assert answer.status_code == 404
    assert product.get("/readyz").ok
    assert product.get("/products/1").ok


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 on its loopback")
def test_the_control_port_is_bound_to_loopback_alone(serve: Serve) -> None:
    """Even where the application listens on every address."""
    service = serve("product.app", HOST="0.0.0.0")

    with socket.create_connection(("127.0.0.2", service.port), timeout=5):
        pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", service.control_port), timeout=5)


def test_without_a_control_port_there_are_no_switches(serve: Serve) -> None:
    """The default: nothing to reach, from nowhere."""
    service = serve("product.app", CONTROL_PORT="")

    assert service.get("/faults").status_code == 404
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", service.control_port), timeout=5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Host": "0.0.0.0"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "LOCALHOST:80", "Origin": "http://LOCALHOST:80"}, 200),
        ({"Host": "[::1]"}, 200),
    ],
)
def test_a_web_page_reaches_no_switch(product: Service, headers: dict[str, str], status: int) -> None:
    """Neither one of another site or port, nor one that has its own name resolve to 127.0.0.1."""
    assert product.control("GET", "/faults", **headers).status_code == status


def test_a_body_must_be_json(product: Service) -> None:
    """What a page may send without asking first changes nothing."""
    assert product.control("PUT", "/faults", {"errorShare": 1}, **{"Content-Type": "text/plain"}).status_code == 415
    assert product.control("GET", "/faults").json()["errorShare"] == 0


@pytest.mark.parametrize(
    ("path", "document", "named"),
    [
        ("/faults", {"errorShare": 2}, "errorShare is 2"),
        ("/faults", {"errorShare": "all"}, "errorShare is 'all'"),
        ("/faults", {"delayMs": -1}, "delayMs is -1"),
        ("/faults", {"delay": 1}, "unknown: delay"),
        ("/faults", {"seed": 1.5}, "seed is 1.5"),
        ("/faults", [], "not a JSON object"),
        ("/ready", {"ready": "no"}, "ready is 'no'"),
        ("/ready", {}, "ready is None"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(product: Service, path: str, document: object, named: str) -> None:
    """The error names what is wrong; the switches stay."""
    answer = product.control("PUT", path, document)

    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]
    assert product.get("/readyz").ok
    assert product.control("GET", "/faults").json() == {"errorShare": 0, "delayMs": 0, "delayShare": 1, "seed": 0}


def test_the_control_socket_is_its_owner_s_alone(serve: Serve, tmp_path: Path) -> None:
    """Faults are switched there; the application's port does not have them, whatever port its Host header names."""
    control = tmp_path / "control.sock"
    service = serve("product.app", CONTROL_SOCKET=str(control))

    assert stat.S_IMODE(control.stat().st_mode) == 0o600
    assert service.get("/faults", host="localhost").status_code == 404
    switched = asyncio.run(send_request(control, "/faults", "PUT", json_body=b'{"errorShare": 1}'))
    assert (200, 1) == (switched.status, json.loads(switched.body)["errorShare"])
    assert service.get("/products/1").status_code == 500
