"""What documents show to be wrong, with or without a control plane."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

UNKNOWN_BACKEND = FindingType(
    "SM101",
    "warning",
    "A backend is the name of no virtual service",
    "calls to that name are answered 404, or leave the mesh where its egress filter allows all",
    "create the virtual service, or take the backend out",
)
NO_PROVIDER = FindingType(
    "SM102",
    "warning",
    "A virtual service has no provider",
    "the name is known, so calls to it do not leave the mesh, and it leads nowhere: they are answered 404",
    "name a virtual router or a virtual node as its provider, or delete the service",
)
NO_ROUTE_FOR_PORT = FindingType(
    "SM103",
    "warning",
    "A virtual router listens on a port for which it has no route",
    "requests to that port of its services are answered 404",
    "create a route for that port, or take the listener out",
)
PROVIDER_WITHOUT_LISTENER = FindingType(
    "SM104",
    "error",
    "A virtual service is provided by a virtual node that listens on no port",
    "nobody listens: calls to the service are answered 404",
    "give the virtual node a listener, or name another provider",
)
NO_LISTENER = FindingType(
    "SM110",
    "error",
    "A route leads to a port on which its target does not listen, or not for such requests",
    "its weight goes to the other targets; where there is none, requests are answered 503",
    "give the virtual node such a listener (an update may have dropped it), or correct or take out the target",
)
WRONG_PROTOCOL = FindingType(
    "SM111",
    "error",
    "A route leads to a listener that cannot speak its protocol",
    "no request of this kind can be answered by that target",
    "make route, router and virtual node speak the same protocol",
)
OTHER_PROTOCOL = FindingType(
    "SM112",
    "warning",
    "A route and its target's listener speak different protocols",
    "Envoy translates each request; what only one of the two knows (trailers, gRPC's status) is lost",
    "make route, router and virtual node speak the same protocol",
)
NO_WEIGHT = FindingType(
    "SM113",
    "error",
    "The weights of a route add up to nothing",
    "no target with a weight can take a request: they are answered 503",
    "give a target that listens a weight above 0",
)
DUPLICATE_TARGET = FindingType(
    "SM114",
    "warning",
    "A route names the same listener of a virtual node twice",
    "the weights are added up; who changes one of them does not see the other",
    "name it once, with the sum of the weights",
)
AMBIGUOUS_LISTENER = FindingType(
    "SM115",
    "warning",
    "A target has several listeners, and the route does not say which",
    "none has the router's port, so one is chosen by protocol, then by the order in the document",
    "name the port in the weighted target",
)
TIMEOUT = FindingType(
    "SM116",
    "warning",
    "A route allows a request more time than its target's listener does",
    "the shorter one wins: requests end with 504 when the listener's time is over (15 s where it says nothing)",
    "give the listener of the virtual node the same time-out, too",
)
IDLE_TIMEOUT = FindingType(
    "SM117",
    "warning",
    "A route allows a connection or stream more time without traffic than its target's listener does",
    "the shorter one wins: calls end when the listener's idle time-out is over (300 s where it says nothing, for TCP an"
    " hour)",
    "give the listener of the virtual node the same idle time-out, too, or 0 for none",
)
SHADOWED = FindingType(
    "SM120",
    "warning",
    "A route is never reached",
    "a route that is asked before it takes every request that it would: what it says never happens",
    "give it a lower priority number (0 is asked first) than the other, narrow the other, or delete it",
)
GATEWAY_SHADOWED = FindingType(
    "SM121",
    "warning",
    "A gateway route is never reached",
    SHADOWED.why,
    SHADOWED.fix,
)
NO_GATEWAY_ROUTE = FindingType(
    "SM122",
    "warning",
    "A virtual gateway listens on a port for which it has no gateway route",
    "requests to that port are answered 404",
    "create a gateway route of the listener's protocol, or take the listener out",
)
POLICY_WITHOUT_PORT = FindingType(
    "SM130",
    "warning",
    "A client policy enforces TLS for ports that its backend does not have",
    "it is enforced for no request: they go as the other side's listener will have them, or in the clear",
    "name the ports of the backend, or none, so that the policy holds for all of them",
)
