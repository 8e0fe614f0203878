"""What documents show to be wrong, with or without a control plane."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

UNKNOWN_BACKEND = FindingType(
    "SM101",
    "warning",
    "A backend names a virtual service that does not exist",
    "calls to that name leave the mesh where its egress filter allows all, and are answered 404 elsewhere",
    "create the virtual service, or remove the backend",
)
NO_PROVIDER = FindingType(
    "SM102",
    "error",
    "A virtual service has no provider",
    "the mesh has the name but no endpoint for it: calls to it are answered 404 and do not leave the mesh",
    "give it a virtual router or a virtual node as its provider, or delete the service",
)
NO_ROUTE_FOR_PORT = FindingType(
    "SM103",
    "error",
    "A virtual router listens on a port for which it has no route",
    "requests to that port of its services are answered 404",
    "create a route for that port, or remove the listener",
)
PROVIDER_WITHOUT_LISTENER = FindingType(
    "SM104",
    "error",
    "A virtual service is provided by a virtual node that listens on no port",
    "no listener takes the requests: calls to the service are answered 404",
    "give the virtual node a listener, or name another provider",
)
UNREACHABLE_BACKEND = FindingType(
    "SM105",
    "error",
    "A backend names a virtual service that does not exist, and the mesh lets no other calls out",
    "calls to that name are answered 404",
    "create the virtual service, or remove the backend",
)
SPLIT_WITHOUT_CALLER = FindingType(
    "SM106",
    "warning",
    "A route splits the requests of a virtual service that nothing in the mesh calls",
    "the Envoy of a caller chooses the version, and requests from outside the mesh have no such Envoy: they go to the"
    " address that they name, whatever the weights are",
    "call the service from a virtual node that names it as a backend, or through a gateway route of a virtual gateway;"
    " otherwise split its requests in the load balancer before it",
)
NO_LISTENER = FindingType(
    "SM110",
    "error",
    "A route leads to a port on which its target has no listener for its protocol",
    "its weight goes to the other targets; without another target, requests are answered 503",
    "add such a listener to the virtual node (an update may have removed it), or correct or remove the target",
)
WRONG_PROTOCOL = FindingType(
    "SM111",
    "error",
    "A route leads to a listener that cannot speak its protocol",
    "the target cannot answer any request of this route",
    "use the same protocol in the route, the router and the virtual node",
)
OTHER_PROTOCOL = FindingType(
    "SM112",
    "warning",
    "A route and its target's listener speak different protocols",
    "Envoy translates each request; features of only one of the two protocols (trailers, gRPC's status) are lost",
    "use the same protocol in the route, the router and the virtual node",
)
NO_WEIGHT = FindingType(
    "SM113",
    "error",
    "A route gives no weight to a target that can take requests",
    "all of its requests are answered 503",
    "give a weight above 0 to a target that has a suitable listener",
)
DUPLICATE_TARGET = FindingType(
    "SM114",
    "warning",
    "Two targets of a route are the same listener of a virtual node",
    "their weights are added, which is easy to overlook when only one of them is changed",
    "keep one of the two, with the sum of the weights",
)
AMBIGUOUS_LISTENER = FindingType(
    "SM115",
    "warning",
    "A target has several listeners, and the route does not name a port",
    "none of them has the router's port, so Envoy uses the first one with the best protocol",
    "name the port in the weighted target",
)
TIMEOUT = FindingType(
    "SM116",
    "warning",
    "A route has a longer request time-out than its target's listener",
    "the shorter one applies: requests end with 504 after the listener's time-out (15 s by default)",
    "set the same time-out on the listener of the virtual node",
)
IDLE_TIMEOUT = FindingType(
    "SM117",
    "warning",
    "A route has a longer idle time-out than its target's listener",
    "the shorter one wins: calls end when the listener's idle time-out is over (300 s where it says nothing, for TCP an"
    " hour)",
    "set the same idle time-out on the listener of the virtual node, or 0 for none",
)
UNUSED_TIMEOUT = FindingType(
    "SM118",
    "warning",
    "A listener has a longer time-out than its callers use",
    "the route in front of it names none, so the default of routes applies: requests end with 504 after 15 s, idle ones"
    " after 300 s (TCP connections after an hour)",
    "set the same time-out on the route; where the virtual node itself provides the service, put a virtual router with"
    " such a route in between",
)
UNUSED_TRY_TIMEOUT = FindingType(
    "SM119",
    "warning",
    "A retry policy allows one try more time than the route allows the whole request",
    "perRetryTimeout has no effect, and a try that takes too long is never retried: the request ends with 504 first",
    "set perRetryTimeout so that all tries fit into the time-out of the route (15 s where it names none)",
)
SHADOWED = FindingType(
    "SM120",
    "warning",
    "A route is never reached",
    "a route that is tried before it matches all of its requests, so this route has no effect",
    "give it a lower priority number than the other route (0 is tried first), narrow the other's match, or delete it",
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
    "error",
    "A virtual gateway listens on a port for which it has no gateway route",
    "requests to that port are answered 404",
    "create a gateway route of the listener's protocol, or remove the listener",
)
POLICY_WITHOUT_PORT = FindingType(
    "SM130",
    "warning",
    "A client policy enforces TLS only on ports that its backend does not have",
    "it applies to no request: TLS is used only if the listener requires it, otherwise requests go in plain text",
    "name ports of the backend, or leave the ports out so that the policy applies to all of them",
)
TLS_NOT_OFFERED = FindingType(
    "SM131",
    "error",
    "A client policy enforces TLS on calls to a listener without TLS",
    "no connection can be made: calls to it are answered 503",
    "give the listener tls with the mode STRICT or PERMISSIVE, or set enforce to false in the client policy",
)
NO_CLIENT_CERTIFICATE = FindingType(
    "SM132",
    "error",
    "A caller has no certificate for a listener that asks its clients for one",
    "the listener refuses each connection: calls to it are answered 503",
    "give tls.certificate in the client policy for that backend, or remove tls.validation from the listener",
)
