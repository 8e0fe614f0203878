"""Objects that change together: what fits in the end is used, in whatever order the objects come."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.unit.kubernetes.conftest import World

Object = dict[str, Any]


def member(kind: str, name: str, **spec: Any) -> Object:
    metadata = {"name": name} if kind == "Mesh" else {"name": name, "namespace": "default"}
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": metadata, "spec": spec}


def listening(protocol: str, port: int = 80) -> list[Object]:
    return [{"portMapping": {"port": port, "protocol": protocol}}]


def router(protocol: str, *routes: Object, port: int = 80) -> Object:
    return member("VirtualRouter", "r", awsName="r", listeners=listening(protocol, port), routes=list(routes))


def route(name: str, kind: str, **match: Any) -> Object:
    action = {"weightedTargets": [{"virtualNodeRef": {"name": "n"}, "weight": 1}]}
    return {"name": name, kind: {"match": {"prefix": "/", **match}, "action": action}}


def gateway(protocol: str) -> Object:
    return member("VirtualGateway", "g", awsName="g", namespaceSelector={}, listeners=listening(protocol))


def gateway_route(name: str, kind: str, prefix: str = "/") -> Object:
    action = {"target": {"virtualService": {"virtualServiceRef": {"name": "s"}}}}
    return member("GatewayRoute", name, awsName=name, **{kind: {"match": {"prefix": prefix}, "action": action}})


@pytest.fixture
def mesh(empty: World) -> World:
    provider = {"virtualRouter": {"virtualRouterRef": {"name": "r"}}}
    empty.tell(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {}}},
        member("Mesh", "shopmesh", namespaceSelector={}),
        member("VirtualNode", "n", awsName="n", listeners=listening("http")),
        router("http", route("web", "httpRoute", port=80)),
        member("VirtualService", "s", awsName="s", provider=provider),
        gateway("http"),
        gateway_route("t", "httpRoute"),
        gateway_route("u", "httpRoute", "/u"),
    )
    assert {} == empty.store.problems
    return empty


def test_a_router_and_its_routes_change_protocol_and_port(mesh: World) -> None:
    """They stand in one object; a route that it no longer has does not hold the others back."""
    mesh.tell(router("http", route("web", "httpRoute", port=80), route("old", "httpRoute", port=80)))

    mesh.tell(router("http2", route("web", "http2Route", port=90), port=90))

    assert {} == mesh.store.problems
    assert listening("http2", 90) == mesh.spec("virtualRouter", "r")["listeners"]
    assert "http2Route" in mesh.spec("route", "r", "web")
    assert mesh.spec("route", "r", "old") is None


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_gateway_and_its_routes_change_in_any_order(mesh: World, order: tuple[int, ...]) -> None:
    """Until the last of them has come the former state serves, and what does not fit says so."""
    objects = [gateway("http2"), gateway_route("t", "http2Route"), gateway_route("u", "http2Route", "/u")]

    for index in order[:-1]:
        mesh.tell(objects[index])
        assert mesh.store.problems
        assert listening("http") == mesh.spec("virtualGateway", "g")["listeners"]
    mesh.tell(objects[order[-1]])

    assert {} == mesh.store.problems
    assert listening("http2") == mesh.spec("virtualGateway", "g")["listeners"]
    assert all("http2Route" in mesh.spec("gatewayRoute", "g", name) for name in "tu")


def test_a_whole_that_does_not_fit_names_what_must_be_corrected(mesh: World) -> None:
    """Not the former state, which fits none of the new parts; what was in use stays."""
    before = [mesh.spec("virtualRouter", "r"), mesh.spec("route", "r", "web")]

    mesh.tell(router("http2", route("web", "http2Route"), route("wrong", "httpRoute")))

    [problem] = mesh.store.problems.values()
    assert "spec.routes[1].httpRoute: virtual router r listens for http2; use http2Route" in problem
    assert before == [mesh.spec("virtualRouter", "r"), mesh.spec("route", "r", "web")]


def test_a_route_that_is_wrong_in_itself_does_not_hold_the_others_back(mesh: World) -> None:
    """Its router and the other routes are brought to their desired state."""
    mesh.tell(router("http2", route("web", "http2Route"), route("wrong", "http2Route", prefix="no-slash")))

    [problem] = mesh.store.problems.values()
    assert "'no-slash' must begin with /" in problem
    assert "http2Route" in mesh.spec("route", "r", "web")


def test_a_router_that_is_deleted_with_its_routes_waits_for_its_services(mesh: World) -> None:
    """As before: what is in use stays, and goes when its user goes."""
    for name in ("t", "u"):
        mesh.take_away("GatewayRoute", name)
    mesh.take_away("VirtualRouter", "r")
    assert mesh.spec("virtualRouter", "r") is not None

    mesh.take_away("VirtualService", "s")

    assert mesh.spec("virtualRouter", "r") is None
