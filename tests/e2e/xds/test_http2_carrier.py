"""Real Envoys behind the carrier of our own: all that they ask the control plane for, and a restart of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shopmesh.server.config import XdsCarrier
from tests.e2e.xds.running import Load, Mesh, upstreams
from tests.support.process import eventually
from tests.unit.xds import meshes

URL = "http://product.local:5000/"


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    with Mesh(carrier=XdsCarrier.HTTP2) as running:
        yield running


def test_envoys_are_configured_report_and_come_again(mesh: Mesh) -> None:
    """Their readiness and their figures arrive, changes reach them, also after a restart, and nothing fails."""
    mesh.put(*meshes.shop())
    with upstreams("v1-a", "v1-b") as (first, second):
        mesh.sidecar("product", first, instance="product-1", looks=True)
        mesh.sidecar("product", second, instance="product-2", looks=True)
        order = mesh.sidecar("order")
        with Load(order, URL) as load:
            eventually(lambda: load.answers["v1-a"] and load.answers["v1-b"], "both answer")
            eventually(lambda: list(mesh.figures.since(0)), "figures have come")
            mesh.stop()
            load.more(20)
            mesh.start()
            eventually(lambda: sum(one.connected for one in mesh.statuses().values()) == 3, "all have come again")
            second.behave = lambda path, count: (503 if path == "/readyz" else 200, 0.0)
            eventually(lambda: mesh.endpoints_of("product") == ["product-1"], "the second has left")
            mesh.converge(mesh.store.revision)
            load.more(50)

        assert not load.failed
