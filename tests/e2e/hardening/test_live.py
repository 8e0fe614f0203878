"""What the API accepts, running Envoys take, whatever they have. `python -m tests.e2e.hardening --live`: more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from shopmesh.appmesh.store import State
from tests.e2e.hardening.generated import Drawn
from tests.e2e.hardening.live import NAME, Live, live, passable
from tests.unit.xds import meshes


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("certificates")) as running:
        yield running


@settings(
    max_examples=40,
    deadline=None,
    # Each mesh comes upon what the one before has left: there is no smaller example to look for.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(passable())
def test_running_envoys_take_one_mesh_after_another(proxies: Live, drawn: Drawn) -> None:
    """Meshes of valid documents replace each other at proxies of a virtual node and a gateway: none is refused."""
    assert proxies.took(drawn) == ""


def test_a_refusal_is_seen(proxies: Live) -> None:
    """A document that got past the API (a regular expression with a look-ahead) is told with Envoy's words."""
    route = meshes.route("r", "regex", {NAME: 1}, {"path": {"regex": "(?=x)"}})
    service = (meshes.router("r"), meshes.service("product.local", router="r"))
    state = State([meshes.mesh(), meshes.node(NAME, backends=["product.local"]), *service, route])

    assert "invalid perl operator" in proxies.became(state)
