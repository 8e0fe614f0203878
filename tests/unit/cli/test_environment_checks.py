"""What may be wrong around a mesh, as one machine sees it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.cli import dns_lookup, environment_checks
from shopmesh.client import Health, ProxyDocument
from shopmesh.documents import DeclaredResource

URL = "http://127.0.0.1:9080"


@pytest.mark.parametrize(
    ("health", "codes"),
    [
        ({"version": "1.0", "time": 1000.0}, []),
        ({"version": "1.0", "time": 1030.0}, []),
        ({"version": "1.0", "time": 1100.0}, ["SM304"]),
        ({"version": "1.0", "time": 900.0}, ["SM304"]),
        ({"version": "0.9", "time": 1000.0}, ["SM303"]),
        ({"status": "ok"}, ["SM303"]),
    ],
)
def test_version_and_clock_of_the_control_plane_are_compared(health: Health, codes: list[str]) -> None:
    """An answer that took two seconds is of any moment between; one without a version is of an earlier one."""
    assert codes == [one.code for one in environment_checks.check_health(health, URL, "1.0", 999.0, 1001.0)]


def test_a_clock_that_signatures_do_not_bear_is_said_to_be_one() -> None:
    """Five minutes are what AWS takes."""
    [one] = environment_checks.check_health({"version": "1", "time": 1400.0}, URL, "1", 1000.0, 1000.0)

    assert "differ by 400 s, so signed requests are refused" in one.what


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (None, "is missing; version 1.40.0 is required"),
        ("\nenvoy  version: abc/1.39.2/Clean/RELEASE/BoringSSL\n", "is abc/1.39.2/Clean/RELEASE/BoringSSL, but 1.40.0"),
    ],
)
def test_another_envoy_or_none_is_told(found: str | None, what: str) -> None:
    """The pinned one is not."""
    [one] = environment_checks.check_envoy("/x/envoy", "1.40.0", found)

    assert what in one.what
    assert [] == list(
        environment_checks.check_envoy("/x/envoy", "1.40.0", "envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL")
    )


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:9080", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1:9080", False),
        ("https://mesh.example.com", False),
    ],
)
def test_a_control_plane_of_this_machine_is_known_by_its_address(url: str, here: bool) -> None:
    """Only then do names resolve here as they do there."""
    assert here == environment_checks.is_local(url)


def node(name: str) -> DeclaredResource:
    return DeclaredResource(
        Key("virtualNode", ("m", name)), {"serviceDiscovery": {"dns": {"hostname": f"{name}.local"}}}
    )


def test_only_names_that_callers_look_up_are_looked_up() -> None:
    """Those of nodes that get requests, by a route or as a provider, and have no proxy that declares an address."""
    targets = [{"virtualNode": name, "weight": weight} for name, weight in (("a", 1), ("b", 0), ("c", 1))]
    resources = [
        *(node(name) for name in ("a", "b", "c", "d", "e")),
        DeclaredResource(Key("route", ("m", "r", "x")), {"httpRoute": {"action": {"weightedTargets": targets}}}),
        DeclaredResource(Key("virtualService", ("m", "s")), {"provider": {"virtualNode": {"virtualNodeName": "d"}}}),
        DeclaredResource(Key("virtualService", ("m", "t")), {}),
    ]
    proxies = [cast(ProxyDocument, {"mesh": "m", "kind": "virtualNode", "name": "c"})]

    assert {"a.local", "d.local"} == environment_checks.host_names(resources, proxies).keys()
    assert {"s", "t"} == environment_checks.service_names(resources).keys()


@pytest.fixture
def slow() -> Iterator[threading.Event]:
    """Set, it ends a lookup that takes too long."""
    ended = threading.Event()
    yield ended
    ended.set()


def test_names_are_looked_up_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch, slow: threading.Event) -> None:
    """What does not resolve is told with the reason; what hangs is held against nobody."""

    def resolve(name: str, port: object) -> list[Any]:
        if name == "hangs":
            slow.wait(30)
        if name == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name == "..":
            raise UnicodeError("label empty")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    begin = time.monotonic()
    found = dns_lookup.failed_lookups(["here", "nowhere", "..", "hangs"], seconds=0.2)

    assert {"nowhere": "Name or service not known", "..": "label empty"} == found
    assert time.monotonic() - begin < 25


def test_more_names_than_are_looked_up_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones stand for the rest."""
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, port: asked.append(name))
    dns_lookup.failed_lookups([f"n{number}" for number in range(2 * dns_lookup.MAX_NAMES)])

    assert dns_lookup.MAX_NAMES == len(asked)
