"""Others are sent to an instance while it is ready, by the word of its own Envoy."""

from __future__ import annotations

from tests.e2e.xds.running import Load, Mesh, upstreams
from tests.support.process import eventually
from tests.unit.xds import meshes

URL = "http://product.local:5000/"


def test_an_instance_is_an_endpoint_while_its_application_is_ready(mesh: Mesh) -> None:
    """Under load one of two says that it is not ready, and later that it is: it leaves and returns, nothing fails."""
    mesh.put(*meshes.shop())
    with upstreams("v1-a", "v1-b") as (first, second):
        mesh.sidecar("product", first, instance="product-1", looks=True)
        mesh.sidecar("product", second, instance="product-2", looks=True)
        order = mesh.sidecar("order")
        with Load(order, URL) as load:
            eventually(lambda: load.answers["v1-a"] and load.answers["v1-b"], "both answer")
            second.behave = lambda path, count: (503 if path == "/readyz" else 200, 0.0)
            eventually(lambda: mesh.endpoints_of("product") == ["product-1"], "the second has left")
            mesh.converge(mesh.store.revision)
            load.more(50)
            before = load.answers["v1-b"]
            load.more(50)
            away = load.answers["v1-b"] - before
            second.behave = lambda path, count: (200, 0.0)
            eventually(lambda: mesh.endpoints_of("product") == ["product-1", "product-2"], "the second is back")
            eventually(lambda: load.answers["v1-b"] > before + 10, "it answers again")

        assert away == 0
        assert not load.failed


def test_an_instance_whose_application_never_came_is_none(mesh: Mesh) -> None:
    """Its Envoy is configured and connected, and nobody is sent to it."""
    mesh.put(*meshes.shop())
    with upstreams("v1-a") as (product,):
        product.behave = lambda path, count: (503, 0.0)
        sidecar = mesh.sidecar("product", product, looks=True, wait=False)
        sidecar.child.wait_for(lambda: sidecar.is_ready() and product.requests["/readyz"] > 3, "it has looked")

        assert mesh.statuses()["product-1"].in_sync
        assert mesh.endpoints_of("product") == []


def test_what_was_ready_stays_so_without_a_control_plane(mesh: Mesh) -> None:
    """A restarted control plane takes nothing out of service, and hears of what changed meanwhile."""
    mesh.put(*meshes.shop())
    with upstreams("v1-a", "v1-b") as (first, second):
        mesh.sidecar("product", first, instance="product-1", looks=True)
        mesh.sidecar("product", second, instance="product-2", looks=True)
        order = mesh.sidecar("order")
        with Load(order, URL) as load:
            mesh.stop()
            second.behave = lambda path, count: (503 if path == "/readyz" else 200, 0.0)
            load.more(50)
            mesh.start()
            eventually(lambda: mesh.endpoints_of("product") == ["product-1"], "the second has left")
            load.more(50)

        assert not load.failed
