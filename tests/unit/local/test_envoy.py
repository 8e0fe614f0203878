"""What an Envoy of this machine is told by its environment."""

from __future__ import annotations

import pytest

from shopmesh.local.mesh.envoy import with_service_version


@pytest.mark.parametrize(
    ("said", "expected"),
    [({}, "service.version=2.0"), ({"OTEL_RESOURCE_ATTRIBUTES": "team=shop"}, "team=shop,service.version=2.0")],
)
def test_spans_say_the_version_beside_what_the_user_wants_said(said: dict[str, str], expected: str) -> None:
    """The user's own attributes stay."""
    assert expected == with_service_version(said, "2.0")["OTEL_RESOURCE_ATTRIBUTES"]


def test_a_gateway_has_no_version() -> None:
    """Its environment is left as it is."""
    assert {"A": "b"} == with_service_version({"A": "b"}, None)
