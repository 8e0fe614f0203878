"""Where a route leads: to a listener that speaks its protocol, for as long as it may take."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh import resolved
from shopmesh.appmesh.findings.finding import Finding, Mistake
from shopmesh.appmesh.resolved import Route, cut_short
from shopmesh.appmesh.store import Resource, View

NO_LISTENER = Mistake(
    "SM110",
    "error",
    "A route leads to a port on which its target does not listen, or not for such requests",
    "its weight goes to the other targets; where there is none, requests are answered 503",
    "give the virtual node such a listener (an update may have dropped it), or correct or take out the target",
)
WRONG_PROTOCOL = Mistake(
    "SM111",
    "error",
    "A route leads to a listener that cannot speak its protocol",
    "no request of this kind can be answered by that target",
    "make route, router and virtual node speak the same protocol",
)
OTHER_PROTOCOL = Mistake(
    "SM112",
    "warning",
    "A route and its target's listener speak different protocols",
    "Envoy translates each request; what only one of the two knows (trailers, gRPC's status) is lost",
    "make route, router and virtual node speak the same protocol",
)
WEIGHT_NOWHERE = Mistake(
    "SM113",
    "error",
    "The weights of a route add up to nothing",
    "no target with a weight can take a request: they are answered 503",
    "give a target that listens a weight above 0",
)
NAMED_TWICE = Mistake(
    "SM114",
    "warning",
    "A route names the same listener of a virtual node twice",
    "the weights are added up; who changes one of them does not see the other",
    "name it once, with the sum of the weights",
)
WHICH_LISTENER = Mistake(
    "SM115",
    "warning",
    "A target has several listeners, and the route does not say which",
    "none has the router's port, so one is chosen by protocol, then by the order in the document",
    "name the port in the weighted target",
)
TIMEOUT = Mistake(
    "SM116",
    "warning",
    "A route allows a request more time than its target's listener does",
    "the shorter one wins: requests end with 504 when the listener's time is over (15 s where it says nothing)",
    "give the listener of the virtual node the same time-out, too",
)
IDLE_TIMEOUT = Mistake(
    "SM117",
    "warning",
    "A route allows a connection or stream more time without traffic than its target's listener does",
    "the shorter one wins: calls end when the listener's idle time-out is over (300 s where it says nothing, for TCP an"
    " hour)",
    "give the listener of the virtual node the same idle time-out, too, or 0 for none",
)


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
        mistake = WRONG_PROTOCOL if (route.kind, one.target.protocol) == ("grpcRoute", "http") else OTHER_PROTOCOL
        yield mistake.at(route.key, what)


def weight_nowhere(route: Route) -> Iterator[Finding]:
    """A target whose virtual node is not there yet may be the one that will take them."""
    if not any(one.weight for one in route.targets if one.listeners is None or one.target is not None):
        weights = ", ".join(f"{one.node} {one.weight}" for one in route.targets)
        yield WEIGHT_NOWHERE.at(route.key, f"gives no weight to a target that listens ({weights})")


def named_twice(route: Route) -> Iterator[Finding]:
    seen = set()
    for one in route.targets:
        if one.target is not None:
            if one.target in seen:
                yield NAMED_TWICE.at(route.key, f"names port {one.target.port} of {one.node} twice")
            seen.add(one.target)


def which_listener(route: Route) -> Iterator[Finding]:
    for one in route.targets:
        if one.port is not None or one.target is None or route.port is None:
            continue
        usable = [listener.port for listener in one.listeners or () if listener.protocol in route.protocols]
        if len(usable) > 1 and route.port not in usable:
            has, taken = ", ".join(map(str, usable)), one.target.port
            what = f"names no port of {one.node}, which has {has} and not the router's {route.port}; {taken} is taken"
            yield WHICH_LISTENER.at(route.key, what)


def timeouts(route: Route) -> Iterator[Finding]:
    """Only where the route says how long: a listener that alone has a shorter one is meant to."""
    for one in route.targets:
        if one.listener is None:
            continue
        for cut in cut_short(route.timeouts, one.listener.timeouts, one.listener.protocol):
            asked = _seconds(cut.asked) if cut.asked else "any time"
            what = f"allows {asked}, and port {one.listener.port} of {one.node} {_seconds(cut.allowed)}"
            yield (TIMEOUT if cut.name == "perRequest" else IDLE_TIMEOUT).at(route.key, what)


_LOOKS = (no_listener, protocols, weight_nowhere, named_twice, which_listener, timeouts)


def look(view: View, resource: Resource) -> Iterator[Finding]:
    """All of these, on one reading of the route."""
    route = resolved.route(view, resource)
    return (finding for each in _LOOKS for finding in each(route))


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g} s"
