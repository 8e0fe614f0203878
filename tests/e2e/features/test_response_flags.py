"""Why a proxy answered an error itself stands in a header of that answer."""

from __future__ import annotations

import http.client
import urllib.parse

from shopmesh.load.judgement.attribution import FLAGS_HEADER
from shopmesh.xds.translate.http.connection_manager import RESPONSE_FLAGS_HEADER
from tests.e2e.xds.running import Mesh, Upstream
from tests.support.process import eventually
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000/"


def asked(port: int, url: str) -> tuple[int, str | None]:
    """The status and the flags of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", url, headers={"host": urllib.parse.urlsplit(url).netloc or "product.local"})
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader(FLAGS_HEADER)
    finally:
        connection.close()


def test_load_reads_the_header_that_sidecars_send() -> None:
    """The two sides name it alike, without knowing each other."""
    assert RESPONSE_FLAGS_HEADER == FLAGS_HEADER


def test_errors_of_a_proxy_say_why(mesh: Mesh, upstream: Upstream) -> None:
    """UF where the application is gone, UH where nobody is healthy; an application's own errors are left alone."""
    mesh.put(*meshes.shop({"product": 1}))
    order = mesh.sidecar("order")

    assert (503, "UH") == asked(order.egress, PRODUCT)

    product = mesh.sidecar("product", upstream)
    eventually(lambda: asked(order.egress, PRODUCT) == (200, None), "product answers")
    upstream.behave = lambda path, count: (500, 0.0)

    assert (500, None) == asked(product.ports[5000], "/")

    gone = mesh.sidecar("product", None, instance="product-gone")
    status, flags = asked(gone.ports[5000], "/")

    assert (503, True) == (status, "UF" in (flags or "").split(","))
