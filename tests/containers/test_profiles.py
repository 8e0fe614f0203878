"""A workload in another language, in a mesh whose sidecars are observed."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.containers.stack import Stack, docker
from tests.support.process import eventually
from tests.support.spans import Span, spans

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def observed(images: Stack, node: str) -> Iterator[Stack]:
    """Order's network, product 3.0, and a collector; the tools themselves are others' and are not run."""
    stack = Stack(built_as=images.name, more={"SHOPMESH_OBSERVED": "1", "SHOPMESH_NODE_IMAGE": node})
    try:
        # The network of product 1.0 is there for the name that order calls.
        run = ("order", "product-net", "product-v3", "sink")
        stack.compose("--profile", "polyglot", "--profile", "sink", "up", "--detach", *run)
        for instance in ("order-vn-1", "product-v3-vn-1"):
            stack.shopmesh("wait", instance)
        stack.shopmesh("route", "product", "product-v3-vn=100", "product-vn=0")
        yield stack
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)


def test_another_language_is_a_version_like_any_other(observed: Stack) -> None:
    """By its weight, through the same sidecar; the caller knows nothing of it."""
    assert '"Version":3.0' in observed.call("order", "http", "product.default.svc.cluster.local", 5000)


def read(stack: Stack, url: str) -> str:
    """A page, as Prometheus reads it: from a container of the network, with the proxies' token."""
    script = (
        "import sys, urllib.request as u; token = open('/run/shopmesh/xds/token').read(); "
        "print(u.urlopen(u.Request(sys.argv[1], headers={'authorization': 'Bearer ' + token})).read().decode())"
    )
    return stack.compose("exec", "-T", "control-plane", "python", "-c", script, url)


def test_the_control_plane_is_read_with_the_proxies_token(observed: Stack) -> None:
    """What the weights promise is told of the new version as of any other."""
    page = read(observed, "http://control-plane:9080/metrics")

    assert 'virtual_node="product-v3-vn",port="5000"} 1\n' in page


def test_observed_sidecars_tell_figures_and_spans(observed: Stack) -> None:
    """To Prometheus on a port of their own, to the collector around DROP_ALL; each with its name and version."""
    from_order = ("order", "http", "product.default.svc.cluster.local", 5000)
    observed.call(*from_order)
    page = read(observed, "http://product-v3-net:15090/stats/prometheus")
    container = observed.compose("ps", "--quiet", "sink").strip()

    def hops() -> bool:
        observed.call(*from_order)
        found = list(spans(base64.b64decode(line) for line in docker("logs", container).split()))
        return any(joined(span, above) for span in found for above in found)

    def joined(span: Span, above: Span) -> bool:
        told = (above.by, span.by)
        return (span.trace, span.parent) == (above.trace, above.id) and told == ("order-vn/1.0", "product-v3-vn/3.0")

    assert 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="cds_ingress_shopmesh_product-v3-vn' in page
    eventually(hops, "the spans of both sidecars", 40)
