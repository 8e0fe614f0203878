"""Where a route leads: to a listener that speaks its protocol, for as long as it may take."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.findings import reading
from shopmesh.appmesh.findings.finding import Finding, Mistake
from shopmesh.appmesh.findings.reading import Way
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


def no_listener(way: Way) -> Iterator[Finding]:
    for leg in way.legs:
        if leg.node is not None and leg.listener is None:
            has = ", ".join(f"{port} ({protocol})" for port, protocol in reading.ports(leg.node).items()) or "no port"
            wanted = "any port" if leg.port is None else f"port {leg.port}"
            yield NO_LISTENER.at(way.key, f"is a {way.kind} to {wanted} of {leg.name}, which listens on {has}")


def protocols(way: Way) -> Iterator[Finding]:
    for leg in way.legs:
        if leg.listener is None or way.kind == f"{leg.listener.protocol}Route":
            continue
        what = f"is a {way.kind}, and port {leg.listener.port} of {leg.name} speaks {leg.listener.protocol}"
        # gRPC needs HTTP/2 all the way.
        mistake = WRONG_PROTOCOL if (way.kind, leg.listener.protocol) == ("grpcRoute", "http") else OTHER_PROTOCOL
        yield mistake.at(way.key, what)


def weight_nowhere(way: Way) -> Iterator[Finding]:
    """A target whose virtual node is not there yet may be the one that will take them."""
    if not any(leg.weight for leg in way.legs if leg.node is None or leg.listener is not None):
        weights = ", ".join(f"{leg.name} {leg.weight}" for leg in way.legs)
        yield WEIGHT_NOWHERE.at(way.key, f"gives no weight to a target that listens ({weights})")


def named_twice(way: Way) -> Iterator[Finding]:
    seen = set()
    for leg in way.legs:
        if leg.listener is not None:
            if (leg.name, leg.listener.port) in seen:
                yield NAMED_TWICE.at(way.key, f"names port {leg.listener.port} of {leg.name} twice")
            seen.add((leg.name, leg.listener.port))


def which_listener(way: Way) -> Iterator[Finding]:
    for leg in way.legs:
        if leg.port is not None or leg.node is None or leg.listener is None or way.port is None:
            continue
        usable = [one.port for one in reading.usable(leg.node, way.kind)]
        if len(usable) > 1 and way.port not in usable:
            has, taken = ", ".join(map(str, usable)), leg.listener.port
            what = f"names no port of {leg.name}, which has {has} and not the router's {way.port}; {taken} is taken"
            yield WHICH_LISTENER.at(way.key, what)


def timeouts(way: Way) -> Iterator[Finding]:
    """Only where the route says how long: who gives the listener alone a shorter one means it."""
    if way.kind == "tcpRoute" or (way.body.get("timeout") or {}).get("perRequest") is None:
        return
    allowed = reading.timeout(way.body)
    for leg in way.legs:
        if leg.listener is not None and leg.listener.timeout and (not allowed or allowed > leg.listener.timeout):
            mine = _seconds(allowed) if allowed else "any time"
            what = f"allows {mine}, and port {leg.listener.port} of {leg.name} {_seconds(leg.listener.timeout)}"
            yield TIMEOUT.at(way.key, what)


_LOOKS = (no_listener, protocols, weight_nowhere, named_twice, which_listener, timeouts)


def look(view: View, route: Resource) -> Iterator[Finding]:
    """All of these, on one reading of the route."""
    way = reading.way(view, route)
    return (finding for each in _LOOKS for finding in each(way))


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g} s"
