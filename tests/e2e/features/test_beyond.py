"""What App Mesh's users asked for, seen on real Envoys: mirrors, faults, headers, limits and patches."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from shopmesh.appmesh.errors import BadRequest
from shopmesh.appmesh.store import Resource
from shopmesh.statistics import binomial_test
from tests.e2e.xds.running import Load, Mesh, Sidecar, Upstream, get, upstreams
from tests.support.policies import ANYTHING
from tests.support.process import eventually
from tests.support.translated import tagged
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000"
SURELY = 1e-9
"""A chance so small that no test fails by it."""


@dataclass(frozen=True)
class Shop:
    """order calls product.local: by its routes `all` and `quick`, to product and product-v2, half each."""

    mesh: Mesh
    order: Sidecar
    product: Sidecar
    first: Upstream
    second: Upstream

    def put(self, *resources: Resource) -> None:
        self.mesh.converge(self.mesh.put(*resources))

    def annotate(self, **words: str) -> None:
        """The route of everything but /quick."""
        self.put(tagged(meshes.route("product-r", "all", {"product": 1, "product-v2": 1}), **words))

    def stats(self, name: str) -> int:
        """A counter of order's Envoy; 0 while it has not moved."""
        return counter(self.order, name)


def counter(sidecar: Sidecar, name: str) -> int:
    found = json.loads(get(sidecar.admin, "/stats?format=json")[1])["stats"]
    return next((int(one["value"]) for one in found if one.get("name") == name), 0)


@pytest.fixture(scope="module")
def running() -> Iterator[Shop]:
    with Mesh(ANYTHING) as mesh, upstreams("v1", "v2") as (first, second):
        mesh.put(*meshes.shop())
        product = mesh.sidecar("product", first)
        mesh.sidecar("product-v2", second)
        yield Shop(mesh, mesh.sidecar("order"), product, first, second)


@pytest.fixture
def shop(running: Shop) -> Shop:
    """The shop without annotations, and without memory of its requests."""
    half = {"product": 1, "product-v2": 1}
    running.put(*meshes.shop(half), meshes.route("product-r", "quick", half, match={"prefix": "/quick"}))
    eventually(lambda: {running.order.get(f"{PRODUCT}/")[1] for _ in range(8)} == {"v1", "v2"}, "both versions answer")
    running.first.requests.clear()
    running.second.requests.clear()
    return running


def answers(sidecar: Sidecar, path: str, count: int) -> Counter[tuple[int, str]]:
    """Of so many requests, one after another on one connection."""
    found: Counter[tuple[int, str]] = Counter()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", sidecar.egress, timeout=20)) as connection:
        for _ in range(count):
            connection.request("GET", f"{PRODUCT}{path}", headers={"host": "product.local:5000"})
            response = connection.getresponse()
            found[response.status, response.read().decode()] += 1
    return found


def listeners(sidecar: Sidecar) -> dict[str, str]:
    """When each was last replaced; its connections are drained then."""
    [found] = [one for one in sidecar.config()["configs"] if one["@type"].endswith("ListenersConfigDump")]
    return {one["name"]: one["active_state"]["last_updated"] for one in found["dynamic_listeners"]}


def test_copies_go_to_the_mirror_and_answers_do_not_come_from_it(shop: Shop) -> None:
    """The mirror gets every request, and answers none, however badly; shares of the split are not distorted."""
    seen = "cluster.cds_egress_shop_product-v2_http_5000.upstream_rq_completed"
    copies = "cluster.cds_egress_shop_product-v2_http_5000_mirror.upstream_rq_completed"
    shop.put(tagged(meshes.route("product-r", "all", {"product": 1, "product-v2": 0}), mirror="product-v2"))
    before, copied = shop.stats(seen), shop.stats(copies)
    shop.second.behave = lambda path, count: (500, 0.0)

    got = answers(shop.order, "/copied", 50)

    assert got == {(200, "v1"): 50}
    eventually(lambda: shop.second.requests["/copied"] == 50, "all of it is mirrored")
    eventually(lambda: shop.stats(copies) == copied + 50, "the copies are counted by themselves")
    assert shop.stats(seen) == before
    shop.second.behave = lambda path, count: (200, 0.0)


def test_so_many_are_mirrored(shop: Shop) -> None:
    """About a quarter of the requests, within what chance allows."""
    shop.put(tagged(meshes.route("product-r", "all", {"product": 1, "product-v2": 0}), mirror="product-v2 25%"))
    name = "cluster.cds_egress_shop_product-v2_http_5000_mirror.upstream_rq_completed"
    before = shop.stats(name)

    answers(shop.order, "/quarter", 400)

    eventually(lambda: shop.stats(name) - before == shop.second.requests["/quarter"], "the copies are answered")
    assert binomial_test(shop.second.requests["/quarter"], 400, 0.25) > SURELY


def test_a_fault_takes_its_share(shop: Shop) -> None:
    """A tenth of the requests is answered 503 without reaching an application, and they are not retried."""
    shop.annotate(fault_abort="503 10%")

    got = answers(shop.order, "/tenth", 400)

    aborted = got[503, "fault filter abort"]
    assert binomial_test(aborted, 400, 0.1) > SURELY
    assert got[200, "v1"] + got[200, "v2"] == 400 - aborted
    assert shop.first.requests["/tenth"] + shop.second.requests["/tenth"] == 400 - aborted
    assert {(200, "v1"), (200, "v2")} == set(answers(shop.order, "/quick", 30))


def test_a_delay_and_an_abort(shop: Shop) -> None:
    """Both on every request: the delay first. Without the annotation both are over."""
    shop.annotate(fault_delay="300ms", fault_abort="418")

    with pytest.raises(TimeoutError):
        shop.order.get(f"{PRODUCT}/", timeout=0.1)
    assert shop.order.get(f"{PRODUCT}/")[0] == 418

    shop.annotate()
    assert shop.order.get(f"{PRODUCT}/")[0] == 200


def test_a_node_fails_by_itself(shop: Shop) -> None:
    """Inbound faults of product are those of product alone, and come from its own Envoy."""
    shop.put(tagged(meshes.node("product"), fault_abort="500"))

    assert get(shop.product.ports[5000], "/") == (500, "fault filter abort")
    assert {(500, "fault filter abort"), (200, "v2")} == set(answers(shop.order, "/", 30))
    assert shop.first.requests["/"] == 0


def test_headers_change_on_both_ways(shop: Shop) -> None:
    """What the application gets and what the caller sees; values as they were written, others of the name replaced."""
    shop.put(
        tagged(
            meshes.route("product-r", "all", {"product": 1}),
            request_headers_add="x-team=shop||x-share=100%",
            request_headers_remove="x-debug",
            response_headers_add="cache-control=public, max-age=60",
            response_headers_remove="x-powered-by",
        )
    )
    shop.first.answers_with = {"x-powered-by": "python", "cache-control": "no-store"}

    connection = http.client.HTTPConnection("127.0.0.1", shop.order.egress)
    sent = {"host": "product.local:5000", "x-debug": "1", "x-team": "mine"}
    connection.request("GET", f"{PRODUCT}/", headers=sent)
    response = connection.getresponse()
    connection.close()

    assert shop.first.headers["x-team"] == "shop"
    assert shop.first.headers["x-share"] == "100%"
    assert "x-debug" not in shop.first.headers
    assert response.headers.get_all("cache-control") == ["public, max-age=60"]
    assert response.headers["x-powered-by"] is None
    shop.first.answers_with = {}


def test_a_limit_lets_so_many_through(shop: Shop) -> None:
    """Five at once and hardly one more; the others are answered 429 and counted, and other routes go on."""
    counted = "rate_limit.http_local_rate_limit.rate_limited"
    before = shop.stats(counted)
    shop.annotate(rate_limit="1/h burst 5")

    got = answers(shop.order, "/limited", 20)

    assert got[429, "local_rate_limited"] == 15
    assert shop.stats(counted) == before + 15
    assert {(200, "v1"), (200, "v2")} == set(answers(shop.order, "/quick", 30))


def test_a_limit_begins_anew_with_the_routes(shop: Shop) -> None:
    """Envoy makes new buckets with each new table."""
    shop.annotate(rate_limit="1/h burst 2")
    assert answers(shop.order, "/", 4)[429, "local_rate_limited"] == 2

    shop.annotate(rate_limit="1/h burst 2", response_headers_add="x-a=1")

    assert answers(shop.order, "/", 4)[429, "local_rate_limited"] == 2


def test_time_outs_begin_after_the_delay(shop: Shop) -> None:
    """A delay longer than the route's time-out is no time-out."""
    quick = {"perRequest": {"value": 200, "unit": "ms"}}
    shop.put(tagged(meshes.route("product-r", "all", {"product": 1}, timeout=quick), fault_delay="400ms"))

    assert shop.order.get(f"{PRODUCT}/") == (200, "v1")


def test_a_service_can_be_limited_as_a_whole(shop: Shop) -> None:
    """One bucket for all routes of the virtual service."""
    shop.put(tagged(meshes.service("product.local", router="product-r"), rate_limit="1/h burst 4"))

    got = answers(shop.order, "/one", 4) + answers(shop.order, "/quick", 4)

    assert got[429, "local_rate_limited"] == 4


def test_switching_on_and_off_loses_no_request(shop: Shop) -> None:
    """Under load a limit, a delay and headers come and go: no request fails, no listener is replaced."""
    before = listeners(shop.order)
    with Load(shop.order, f"{PRODUCT}/") as load:
        for _ in range(5):
            shop.annotate(rate_limit="100000/s", fault_delay="1ms 1%", request_headers_add="x-a=1")
            load.more(200)
            shop.annotate()
            load.more(200)

    assert load.failed == {}
    assert listeners(shop.order) == before


def patched(**resources: object) -> Resource:
    """order with patches; `cluster` is that of product, `routes` those of what order calls."""
    names = {"cluster": "cds_egress_shop_product_http_5000", "routes": "rds_egress_http_15001"}
    text = json.dumps({f"{kind}/{names[kind]}": merge for kind, merge in resources.items()})
    return tagged(meshes.node("order", backends=["product.local"]), patch=text)


def test_a_patch_is_taken(shop: Shop) -> None:
    """Into a cluster that lets no request through, and into a route table that adds a header; and out of them again."""
    closed = {"circuit_breakers": {"thresholds": [{"max_requests": 0, "max_pending_requests": 0}]}}
    header = {"response_headers_to_add": [{"header": {"key": "x-mesh", "value": "shop"}}]}
    shop.put(meshes.route("product-r", "all", {"product": 1}))

    shop.put(patched(cluster=closed, routes=header))

    assert shop.order.get(f"{PRODUCT}/")[0] == 503
    dumped = shop.order.config()["configs"]
    clusters = next(one for one in dumped if one["@type"].endswith("ClustersConfigDump"))["dynamic_active_clusters"]
    [cluster] = [one["cluster"] for one in clusters if one["cluster"]["name"] == "cds_egress_shop_product_http_5000"]
    assert cluster["circuit_breakers"]["thresholds"] == [{"max_requests": 0, "max_pending_requests": 0}]
    assert cluster["connect_timeout"] == "1s"
    assert "x-mesh" in response_headers(shop.order)

    shop.put(meshes.node("order", backends=["product.local"]))
    assert shop.order.get(f"{PRODUCT}/") == (200, "v1")
    assert "x-mesh" not in response_headers(shop.order)


def response_headers(sidecar: Sidecar) -> dict[str, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", sidecar.egress, timeout=20)) as connection:
        connection.request("GET", f"{PRODUCT}/", headers={"host": "product.local:5000"})
        return {name.lower(): value for name, value in connection.getresponse().getheaders()}


def test_a_patch_that_envoy_refuses_is_shown(shop: Shop) -> None:
    """Well-formed, and senseless: Envoy's reason is shown, and what it had before goes on working."""
    shop.mesh.put(patched(cluster={"connect_timeout": "0s"}))

    refused = eventually(lambda: shop.mesh.statuses()["order-1"].refused, "the refusal is shown")
    assert refused.type == "clusters"
    assert "ConnectTimeout" in refused.message
    assert {(200, "v1"), (200, "v2")} == set(answers(shop.order, "/", 30))

    shop.put(meshes.node("order", backends=["product.local"]))
    assert shop.mesh.statuses()["order-1"].refused is None


def test_a_bad_patch_is_refused_before_any_envoy_sees_it(shop: Shop) -> None:
    """The API tells the path of the field; no proxy is sent anything."""
    version = shop.mesh.statuses()["order-1"].types["clusters"].sent
    tag = {"key": "shopmesh.dev/patch", "value": '{"cluster/*": {"connect_timeot": "1s"}}'}
    arn = "arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/order"

    with pytest.raises(BadRequest, match=r"connect_timeot: .* did you mean 'connect_timeout'"):
        shop.mesh.ask("TagResource", resourceArn=arn, tags=[tag])

    assert shop.mesh.statuses()["order-1"].types["clusters"].sent == version
    assert {(200, "v1"), (200, "v2")} == set(answers(shop.order, "/", 30))
