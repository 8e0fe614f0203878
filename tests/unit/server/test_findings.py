"""What is told to be wrong: where, what, why it hurts, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.store import Key, Resource, State
from shopmesh.server.findings import findings
from shopmesh.server.proxies import ProxyStatus, Refusal
from shopmesh.xds.limitations import Limitation


def resource(kind: str, *path: str, **spec: Any) -> Resource:
    return Resource(Key(kind, path), spec, uid="u", version=1, created_at=0, updated_at=0)


def proxy(name: str, **other: Any) -> ProxyStatus:
    """A proxy that is well, but for what is said otherwise."""
    well: dict[str, Any] = {
        "address": "127.0.0.1",
        "connected": True,
        "since": 1.0,
        "known": True,
        "declared": True,
        "in_step": True,
        "types": {},
        "refused": None,
    }
    return ProxyStatus("shopmesh", "virtualNode", name, f"{name}-1", **{**well, **other})


@pytest.fixture
def mesh() -> State:
    """Product's route gives everything to 1.0 and nothing to 2.0."""
    targets = [{"virtualNode": "product-vn", "weight": 100}, {"virtualNode": "product-v2-vn", "weight": 0}]
    return State(
        [
            resource("mesh", "shopmesh"),
            resource("virtualRouter", "shopmesh", "product-vr"),
            resource(
                "route", "shopmesh", "product-vr", "product-r", httpRoute={"action": {"weightedTargets": targets}}
            ),
        ]
    )


def test_a_mesh_that_is_well_has_none(mesh: State) -> None:
    """Weight 0 may be down."""
    assert [] == findings(mesh, [proxy("product-vn"), proxy("product-v2-vn", connected=False)], [])


@pytest.mark.parametrize(
    ("state", "severity", "what"),
    [
        ({"known": False, "in_step": False}, "error", "does not exist in the mesh shopmesh"),
        ({"in_step": False}, "warning", "has not yet confirmed"),
        ({"in_step": False, "refused": Refusal("routes", "bad regex", 1.0)}, "error", "refused its routes: bad regex"),
    ],
)
def test_a_proxy_that_is_not_as_it_should_be_is_named(
    mesh: State, state: dict[str, Any], severity: str, what: str
) -> None:
    """Once each: what it refused explains why it is not in step."""
    [found] = findings(mesh, [proxy("product-vn", **state)], [])

    assert (severity, "proxy product-vn-1 of virtualNode shopmesh/product-vn") == (found.severity, found.where)
    assert what in found.what
    assert found.why
    assert found.fix


def test_a_weighted_version_without_a_proxy_is_an_error(mesh: State) -> None:
    """Its share of the requests is about to fail, or fails."""
    [found] = findings(mesh, [proxy("product-vn", connected=False, in_step=False)], [])

    assert ("error", "route shopmesh/product-vr/product-r") == (found.severity, found.where)
    assert "weight 100 to product-vn" in found.what


def test_what_could_not_be_translated_is_a_warning_after_the_errors(mesh: State) -> None:
    """Errors come first: they hurt now."""
    limitation = Limitation("a place", "a thing", "a reason", "a remedy")
    severities = [found.severity for found in findings(mesh, [proxy("x", known=False)], [limitation])]

    assert ["error", "warning"] == severities
