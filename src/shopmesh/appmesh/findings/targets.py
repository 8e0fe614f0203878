"""Where a route leads: to a listener that speaks its protocol, for as long as it may take."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.documents import (
    AMBIGUOUS_LISTENER,
    DUPLICATE_TARGET,
    IDLE_TIMEOUT,
    NO_LISTENER,
    NO_WEIGHT,
    OTHER_PROTOCOL,
    TIMEOUT,
    UNUSED_TIMEOUT,
    UNUSED_TRY_TIMEOUT,
    WRONG_PROTOCOL,
)
from shopmesh.appmesh.findings.durations import seconds
from shopmesh.appmesh.resolved import ComputingView, Route, route_of, shortened_route_timeouts, unused_listener_timeouts
from shopmesh.appmesh.store import Resource


def no_listener(route: Route) -> Iterator[Finding]:
    for one in route.targets:
        if one.listeners is not None and one.target is None:
            has = ", ".join(f"{listener.port} ({listener.protocol})" for listener in one.listeners) or "no port"
            wanted = "any port" if one.port is None else f"port {one.port}"
            yield NO_LISTENER.at(route.key, f"is a {route.kind} to {wanted} of {one.node}, which listens on {has}")


def protocols(route: Route) -> Iterator[Finding]:
    for one in route.targets:
        if one.target is None or route.kind == f"{one.target.protocol}Route":
            continue
        what = f"is a {route.kind}, and port {one.target.port} of {one.node} speaks {one.target.protocol}"
        # gRPC needs HTTP/2 all the way.
        found = WRONG_PROTOCOL if (route.kind, one.target.protocol) == ("grpcRoute", "http") else OTHER_PROTOCOL
        yield found.at(route.key, what)


def no_effective_weight(route: Route) -> Iterator[Finding]:
    """A target whose virtual node is not there yet may be the one that will take them."""
    if not any(one.weight for one in route.targets if one.listeners is None or one.target is not None):
        weights = ", ".join(f"{one.node} {one.weight}" for one in route.targets)
        yield NO_WEIGHT.at(route.key, f"gives no weight to a target with a suitable listener ({weights})")


def duplicate_target(route: Route) -> Iterator[Finding]:
    seen = set()
    for one in route.targets:
        if one.target is not None:
            if one.target in seen:
                yield DUPLICATE_TARGET.at(route.key, f"names port {one.target.port} of {one.node} twice")
            seen.add(one.target)


def ambiguous_listener(route: Route) -> Iterator[Finding]:
    for one in route.targets:
        if one.port is not None or one.target is None or route.port is None:
            continue
        usable = [listener.port for listener in one.listeners or () if listener.protocol in route.protocols]
        if len(usable) > 1 and route.port not in usable:
            has, taken = ", ".join(map(str, usable)), one.target.port
            what = f"names no port of {one.node}, which has {has}, not the router's {route.port}; {taken} is used"
            yield AMBIGUOUS_LISTENER.at(route.key, what)


def timeouts(route: Route) -> Iterator[Finding]:
    """Only where the route says how long: a listener that alone has a shorter one is meant to."""
    for one in route.targets:
        if one.listener is None:
            continue
        for conflict in shortened_route_timeouts(route.timeouts, one.listener.timeouts, one.listener.protocol):
            port = f"port {one.listener.port} of {one.node}"
            what = f"allows {seconds(conflict.configured)}, and {port} {seconds(conflict.allowed)}"
            yield (TIMEOUT if conflict.name == "perRequest" else IDLE_TIMEOUT).at(route.key, what)


def unused_timeouts(route: Route) -> Iterator[Finding]:
    for one in route.targets:
        if one.listener is None:
            continue
        for conflict in unused_listener_timeouts(route.timeouts, one.listener.timeouts, one.listener.protocol):
            what = f"allows {seconds(conflict.allowed)} by default, and port {one.listener.port} of {one.node}"
            yield UNUSED_TIMEOUT.at(route.key, f"{what} {seconds(conflict.configured)}")


def unused_try_timeout(route: Route) -> Iterator[Finding]:
    """A TCP route has neither: a connection is not a request."""
    one_try, request = route.retry.per_try_ms, route.timeouts.request_ms
    if route.kind != "tcpRoute" and one_try is not None and 0 < request < one_try:
        what = f"allows one try {seconds(one_try)} and the whole request {seconds(request)}"
        yield UNUSED_TRY_TIMEOUT.at(route.key, what)


_CHECKS = (
    no_listener,
    protocols,
    no_effective_weight,
    duplicate_target,
    ambiguous_listener,
    timeouts,
    unused_timeouts,
    unused_try_timeout,
)


def check(view: ComputingView, resource: Resource) -> Iterator[Finding]:
    """All of these."""
    route = view.compute(route_of, resource.key)
    return (finding for each in _CHECKS for finding in each(route)) if route else iter(())
