"""What only a running mesh shows to be wrong: its proxies, its weights, and what could not be translated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from shopmesh.appmesh import findings as documents
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import GATEWAY_HEALTH_CHECK, TCP_PORT_TAKEN
from shopmesh.appmesh.resolved import ComputingView
from shopmesh.appmesh.store import Change, Key, Resource, State
from shopmesh.server.grpc.proxies import Nack, ProxyStatus
from shopmesh.server.live_findings import LiveFindings
from shopmesh.server.store.store import Commit
from shopmesh.server.traffic.figures import Caller
from tests.support.translated import tagged
from tests.unit.xds.meshes import gateway, gateway_route, instance, listener, mesh, node, route, router, service, shop


def proxy(name: str, number: int = 1, **other: Any) -> ProxyStatus:
    """A proxy that is well, but for what is said otherwise."""
    well: dict[str, Any] = {
        "address": "127.0.0.1",
        "connected": True,
        "since": 1.0,
        "known": True,
        "declared": True,
        "in_sync": True,
        "types": {},
        "refused": None,
    }
    return ProxyStatus("shop", "virtualNode", name, f"{name}-{number}", **{**well, **other})


def found(
    resources: Iterable[Resource], proxies: Iterable[ProxyStatus], of_translation: Iterable[Finding] = ()
) -> list[Finding]:
    return asyncio.run(LiveFindings(State(resources)).collect(list(proxies), of_translation))


@pytest.mark.parametrize(
    ("days", "connected", "said"),
    [(90, True, []), (13, True, ["in 13 days"]), (1, True, ["within a day"]), (0, True, ["already"]), (0, False, [])],
)
def test_a_certificate_that_expires_soon_is_told(days: int, connected: bool, said: list[str]) -> None:
    """By the proxy that reports it, while it is connected."""
    reported = {(Caller("shop", "virtualNode", "product"), "product-1"): days}
    live = LiveFindings(State(shop()))
    found = asyncio.run(live.collect([proxy("product", connected=connected)], (), reported))
    told = [one for one in found if one.where == "proxy product-1 of virtualNode shop/product"]

    assert len(told) == len(said)
    assert all(text in one.what for text, one in zip(said, told, strict=True))


def test_a_mesh_that_is_well_has_none() -> None:
    """Weight 0 may be down."""
    assert [] == found(shop(), [proxy("order"), proxy("product"), proxy("product-v2", connected=False)])


def test_every_type_that_a_proxy_refused_is_named() -> None:
    """A refused listener does not hide behind a refused cluster."""
    refusals: dict[str, Any] = {
        "refused": Nack("clusters", "no name", 1.0),
        "also_refused": (Nack("listeners", "no port", 1.0),),
    }
    told = found(shop(), [proxy("product", in_sync=False, **refusals)])

    assert ["refused its clusters: no name", "refused its listeners: no port"] == [one.what for one in told]


@pytest.mark.parametrize(
    ("state", "code", "what"),
    [
        ({"known": False, "in_sync": False}, "SM201", "does not exist in the mesh shop"),
        ({"in_sync": False}, "SM203", "has not yet confirmed"),
        ({"in_sync": False, "refused": Nack("routes", "bad regex", 1.0)}, "SM202", "refused its routes: bad regex"),
        (
            {"refused": Nack("secrets", "certificate:/a:/b: no", 1.0)},
            "SM208",
            "could not load certificate:/a:/b: no",
        ),
    ],
)
def test_a_proxy_that_is_not_as_it_should_be_is_named(state: dict[str, Any], code: str, what: str) -> None:
    """Once each: what it refused explains why it is not in step."""
    [told] = found(shop(), [proxy("product", **state)])

    assert (code, "proxy product-1 of virtualNode shop/product") == (told.code, told.where)
    assert what in told.what


def test_a_weighted_version_whose_only_replica_is_gone_is_an_error() -> None:
    """Its share of the requests is about to fail, or fails; another replica that is there takes it."""
    gone = proxy("product", connected=False, in_sync=False)
    [told] = found(shop(), [gone])

    assert ("SM204", "error", "route shop/product-r/all") == (told.code, told.severity, told.where)
    assert "weight 100 to product" in told.what
    assert [] == found(shop(), [gone, proxy("product", 2)])


def test_a_split_is_reported_while_nothing_calls_its_service() -> None:
    """As it is found in documents; it goes when a virtual node names the service as a backend."""
    state = State([*shop({"product": 50, "product-v2": 50}), node("order")])
    live = LiveFindings(state)
    running = [proxy("order"), proxy("product"), proxy("product-v2")]

    assert ["SM106"] == [one.code for one in asyncio.run(live.collect(running))]
    assert ["SM106"] == [one.code for one in documents.of_documents(state)]
    before, calling = state.get(Key("virtualNode", ("shop", "order"))), node("order", backends=["product.local"])
    change = Change(calling.key, before, calling)
    state.apply([change])
    live.on_commit(Commit(1, 0.0, (change,)))
    assert [] == asyncio.run(live.collect(running))


def test_a_weighted_version_of_which_nothing_is_ready_is_an_error() -> None:
    """Its proxy is there, and its application is not; one that never says where it is is none of that."""
    unready = proxy("product", declared=False)
    [told] = found(shop(), [unready])

    assert ("SM209", "error", "route shop/product-r/all") == (told.code, told.severity, told.where)
    assert [] == found(shop(), [unready, proxy("product", 2)])
    assert [] == found(shop(), [proxy("product", declared=False, address=None)])


def elsewhere(**discovery: Any) -> list[Resource]:
    """`caller` calls `s`, all of whose weight is on `n`, which is found as said."""
    return [
        mesh(),
        node("caller", backends=["s"]),
        node("n", serviceDiscovery=discovery),
        router("r"),
        route("r", "x", {"n": 1}),
        service("s", router="r"),
    ]


def test_weight_on_a_version_that_is_nowhere_is_an_error() -> None:
    """No proxy, and no host name or Cloud Map to find it otherwise."""
    [told] = found(elsewhere(), [])

    assert ("SM205", "virtualNode shop/n") == (told.code, told.where)
    assert "has weight 1 in route shop/r/x, but no proxy of it runs" == told.what
    assert [] == found(elsewhere(), [proxy("n")])
    assert [] == found(elsewhere(dns={"hostname": "db.local"}), [])
    assert [] == found(elsewhere(awsCloudMap={"namespaceName": "a", "serviceName": "b"}), [])


def test_a_version_whose_last_instance_was_withdrawn_is_nowhere() -> None:
    """Once found by its instances, its host name is not asked any more."""
    [told] = found([*elsewhere(dns={"hostname": "n.local"}), instance("n", "n-1", None)], [])

    assert "SM205" == told.code


def test_weight_behind_a_service_that_nobody_calls_costs_no_request() -> None:
    """As the service of a canary that Flagger has finished: its version is scaled to none until the next one."""
    nobodys = [one for one in elsewhere() if one.key.name != "caller"]
    by_gateway = [*nobodys, gateway("g", listener(80)), gateway_route("g", "all", "s")]

    assert [] == found(nobodys, [])
    assert ["SM205"] == [one.code for one in found(by_gateway, [])]


def test_a_service_that_gets_its_first_caller_is_looked_at_again() -> None:
    """What was found before is remembered only as long as it holds."""
    state = State([one for one in elsewhere() if one.key.name != "caller"])
    kept = LiveFindings(state)
    before = asyncio.run(kept.collect([]))
    change = Change(Key("virtualNode", ("shop", "caller")), None, node("caller", backends=["s"]))
    state.apply([change])
    kept.on_commit(Commit(1, 0.0, (change,)))

    assert ([], ["SM205"]) == (before, [one.code for one in asyncio.run(kept.collect([]))])


@pytest.mark.parametrize(
    ("discovery", "instances", "told"),
    [
        ({"hostname": "n.local"}, (), True),
        ({"hostname": "n.local", "responseType": "ENDPOINTS"}, (), False),
        ({"hostname": "n.local"}, ("10.0.0.1",), True),
        ({"hostname": "n.local"}, ("10.0.0.1", "10.0.0.2"), False),
        ({"hostname": "n.local"}, ("10.0.0.1", None), True),
        ({"hostname": "n.local"}, (None,), False),
    ],
)
def test_outlier_detection_needs_several_hosts(
    discovery: dict[str, str], instances: tuple[str | None, ...], told: bool
) -> None:
    """By DNS a load balancer's name is one; an instance that was withdrawn is none."""
    resources = [
        mesh(),
        node("n", [listener(outlierDetection={"maxServerErrors": 5})], serviceDiscovery={"dns": discovery}),
        *(instance("n", f"n-{number}", address) for number, address in enumerate(instances)),
    ]

    assert told == ("SM206" in {one.code for one in found(resources, [])})
    assert [] == found([*resources, tagged(resources[1], panic_threshold="0%")], [])
    assert [] == found([mesh(), node("n", serviceDiscovery={"dns": discovery}), *resources[2:]], [])


def test_what_could_not_be_translated_is_a_finding_among_the_others() -> None:
    """Errors come first: they hurt now."""
    untranslated = GATEWAY_HEALTH_CHECK.at(Key("virtualGateway", ("shop", "g")), "has a health check of port 80")
    told = found(shop(), [proxy("x", known=False)], [untranslated])

    assert ["SM201", "SM245"] == [one.code for one in told]
    assert ("shop", "virtualGateway shop/g") == (told[1].mesh, told[1].where)


def test_a_route_that_is_never_reached_is_not_reported_for_its_port_again() -> None:
    """It loses all of its ports; one that loses only some of them is reported for those."""
    tcp = [listener(6000, "tcp")]
    routes = [route("r", name, {"n": 1}, {}, kind="tcpRoute") for name in ("a", "b")]
    mesh_ = [mesh(), node("n", tcp), router("r", *tcp), *routes, service("s", router="r")]
    taken = TCP_PORT_TAKEN.at(Key("route", ("shop", "r", "b")), "takes connections to port 6000 as well")

    assert ["SM120"] == [one.code for one in found(mesh_, [proxy("n")], [taken])]
    assert ["SM242"] == [one.code for one in found(shop(), [proxy("order"), proxy("product")], [taken])]


def test_documents_are_looked_at_again_only_where_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks every second makes no work; a new route is looked at, and the router that it belongs to."""
    seen: list[str] = []
    look = documents.of_resource

    def watched(view: ComputingView, one: Resource) -> tuple[Finding, ...]:
        seen.append(one.key.name)
        return look(view, one)

    monkeypatch.setattr(documents, "of_resource", watched)
    state = State([*shop(), router("other"), route("other", "y", {"order": 1})])
    kept = LiveFindings(state)
    asyncio.run(kept.collect([]))
    seen.clear()
    asyncio.run(kept.collect([]))

    assert [] == seen

    new = route("product-r", "z", {"product-v2": 1}, {"prefix": "/z"}, priority=1)
    change = Change(new.key, None, new)
    state.apply([change])
    kept.on_commit(Commit(1, 0.0, (change,)))

    assert [] == asyncio.run(kept.collect([]))
    assert ["product-r", "z"] == sorted(seen)


def test_a_mended_mistake_is_not_told_any_more() -> None:
    """What refers to a resource is looked at again when that comes."""
    state = State([mesh(), node("order", backends=["product.local"])])
    kept = LiveFindings(state)
    before = [one.code for one in asyncio.run(kept.collect([]))]
    new = service("product.local", node="order")
    state.apply([Change(new.key, None, new)])
    kept.on_commit(Commit(1, 0.0, (Change(new.key, None, new),)))

    assert (["SM105"], []) == (before, asyncio.run(kept.collect([])))
