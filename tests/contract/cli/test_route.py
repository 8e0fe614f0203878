"""`shopmesh route` against the real API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shopmesh.client import Client
from tests.contract.cli.conftest import ControlPlane, Run

MESH = Path(__file__).parents[3] / "mesh"

TWO_ROUTES = {
    "meshName": "shopmesh",
    "virtualRouterName": "product-vr",
    "routeName": "beta",
    "spec": {
        "priority": 1,
        "httpRoute": {
            "match": {"prefix": "/beta"},
            "action": {"weightedTargets": [{"virtualNode": "product-v2-vn", "weight": 100}]},
        },
    },
}


@pytest.fixture
def mesh(shopmesh: Run) -> None:
    shopmesh("apply", "-f", str(MESH))


def weights(client: Client, route: str = "product-r") -> list[tuple[str, int]]:
    answer: Any = client.appmesh.describe_route(meshName="shopmesh", virtualRouterName="product-vr", routeName=route)
    targets = answer["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    return [(target["virtualNode"], target["weight"]) for target in targets]


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize("service", ["product", "product.default", "product.default.svc.cluster.local", "product-vr"])
def test_naming_one_version_shifts_the_rest_to_the_other(
    shopmesh: Run, client: Client, control_plane: ControlPlane, service: str
) -> None:
    """By short name, full name or router: one update, and how long the Envoys took."""
    control_plane.beside["change"] |= {"proxies": {"order-vn-1": 3.25, "product-vn-1": 1.0}, "milliseconds": 3.25}
    writes = control_plane.writes

    said = shopmesh("route", service, "product-v2-vn=50").stdout

    assert [("product-vn", 50), ("product-v2-vn", 50)] == weights(client)
    assert writes + 1 == control_plane.writes
    assert (
        "updated route product-vr/product-r: product-vn=50 product-v2-vn=50\n"
        "all 2 Envoys have confirmed it, the last after 3.2 ms\n"
    ) == said


@pytest.mark.usefixtures("mesh")
def test_an_envoy_that_does_not_follow_is_an_error(shopmesh: Run, control_plane: ControlPlane) -> None:
    """The change is stored, and who has not confirmed it is named; the exit status is 1."""
    control_plane.beside["change"] |= {"proxies": {"order-vn-1": None, "product-vn-1": 1.0}, "converged": False}

    said = shopmesh("route", "product", "product-v2-vn=50", "--timeout", "0.1", status=1)

    assert "order-vn-1 did not confirm it within 0.1 s" in said.stderr


@pytest.mark.usefixtures("mesh")
def test_without_weights_they_are_shown(shopmesh: Run) -> None:
    """One line a target, with its share."""
    lines = shopmesh("route", "product").stdout.splitlines()

    assert ["product-vr/product-r", "product-vn", "100", "100.0%"] == lines[1].split()
    assert ["product-v2-vn", "0", "0.0%"] == lines[2].split()


@pytest.mark.usefixtures("mesh")
def test_the_same_weights_again_change_nothing(shopmesh: Run, control_plane: ControlPlane) -> None:
    """Idempotent: no request is sent."""
    writes = control_plane.writes

    assert "unchanged route product-vr/product-r\n" == shopmesh("route", "product", "product-vn=100").stdout
    assert writes == control_plane.writes


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["product", "product-v3-vn=10"], "there is no virtual node 'product-v3-vn'; did you mean 'product-v"),
        (["prodct", "product-vn=10"], "there is no virtualService 'prodct'"),
        (["product", "product-vn=50", "product-v2-vn=20"], "add up to 70, not 100"),
        (["product", "product-vn=50", "--route", "other"], "has no route 'other' (there: product-r)"),
    ],
)
def test_what_cannot_be_meant_is_refused(shopmesh: Run, arguments: list[str], reason: str) -> None:
    """The message names the thing and what there is."""
    assert reason in shopmesh("route", *arguments, status=1).stderr


@pytest.mark.usefixtures("mesh")
def test_of_several_routes_one_has_to_be_named(shopmesh: Run, client: Client) -> None:
    """Shifting without saying which route is refused; with --route only that one changes."""
    client.requests([{"operation": "CreateRoute", "parameters": TWO_ROUTES}])

    refused = shopmesh("route", "product", "product-vn=10", status=1).stderr
    shopmesh("route", "product", "product-vn=10", "--route", "beta")

    assert "product has several routes (beta, product-r); name one with --route" in refused
    assert [("product-v2-vn", 90), ("product-vn", 10)] == weights(client, "beta")
    assert [("product-vn", 100), ("product-v2-vn", 0)] == weights(client)


@pytest.mark.usefixtures("mesh")
def test_a_wrong_weight_is_a_usage_error(shopmesh: Run) -> None:
    """Exit status 2 and the form that is wanted."""
    assert "NODE=WEIGHT" in shopmesh("route", "product", "product-vn:50", status=2).stderr
