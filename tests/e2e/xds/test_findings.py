"""What real proxies show to be wrong, told by its code: a replica that is gone, a refusal, an unknown name."""

from __future__ import annotations

import socket

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.store import Key
from shopmesh.server.live_findings import LiveFindings
from tests.e2e.xds.running import Mesh, Upstream
from tests.support.process import eventually
from tests.unit.xds.meshes import node, shop


def found(mesh: Mesh) -> dict[str, Finding]:
    """All findings by their code."""

    async def ask() -> list[Finding]:
        return await LiveFindings(mesh.store.state).collect(mesh.proxies.statuses(), mesh.proxies.findings())

    return {one.code: one for one in mesh.run(ask())}


def test_the_only_replica_that_is_gone_is_told_until_it_is_back(mesh: Mesh, upstream: Upstream) -> None:
    """Its Envoy ends without a word, as when its machine does."""
    mesh.put(*shop())
    product = mesh.sidecar("product", upstream)
    mesh.converge(mesh.store.revision)

    assert "SM204" not in found(mesh)

    product.child.stop()
    told = eventually(lambda: found(mesh).get("SM204"), "the loss is told")

    assert "route shop/product-r/all" == told.where
    assert "weight 100 to product" in told.what

    mesh.sidecar("product", upstream)

    eventually(lambda: "SM204" not in found(mesh), "the return is seen")


def test_a_refused_configuration_is_told_in_envoys_words(mesh: Mesh, upstream: Upstream) -> None:
    """The port that it should bind is taken."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        mesh.put(*shop())
        mesh.sidecar("product", upstream, taken=other.getsockname()[1], wait=False)
        told = eventually(lambda: found(mesh).get("SM202"), "the refusal is told")

    assert "proxy product-1 of virtualNode shop/product" == told.where
    assert "Address already in use" in told.what


def test_a_proxy_of_an_unknown_name_is_told_until_the_name_is_known(mesh: Mesh, upstream: Upstream) -> None:
    """It gets nothing until its virtual node is created."""
    mesh.put(*shop())
    mesh.sidecar("prodct", upstream, wait=False)
    told = eventually(lambda: found(mesh).get("SM201"), "the stranger is told")

    assert "asks for the virtualNode prodct" in told.what

    mesh.put(node("prodct"))

    assert mesh.store.state.get(Key("virtualNode", ("shop", "prodct"))) is not None
    eventually(lambda: "SM201" not in found(mesh), "the name is known")
