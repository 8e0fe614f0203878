"""Parts of a mesh that proxies do not get as they are written."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

CONFIGURATION_FAILED = FindingType(
    "SM240",
    "error",
    "The configuration of a proxy could not be computed",
    "its proxies keep their last configuration",
    "undo the last change of what it refers to, and report this with the control plane's log",
)
MISSING_NODE = FindingType(
    "SM241",
    "error",
    "A target of a route is a virtual node that does not exist",
    "its weight goes to the other targets; without another target, requests are answered 503",
    "create the virtual node, or remove the target from the route",
)
TCP_PORT_TAKEN = FindingType(
    "SM242",
    "warning",
    "Two TCP routes take connections to the same port",
    "only the port tells TCP connections apart, so the second route gets none",
    "delete one of the two, or put the targets of both into one route",
)
SHARED_DOMAIN = FindingType(
    "SM243",
    "error",
    "Two virtual services have the same domain",
    "host names do not distinguish upper and lower case, so requests go to the other service",
    "rename one of the two",
)
NO_PORT_OF_SERVICE = FindingType(
    "SM244",
    "error",
    "A gateway route leads to a port that its virtual service does not have",
    "its requests are answered 404",
    "name a port that the service's router or node listens on, or none",
)
GATEWAY_HEALTH_CHECK = FindingType(
    "SM245",
    "warning",
    "A listener of a virtual gateway has a health check",
    "no proxy in the mesh sends requests to a gateway, so the check is never made",
    "let the load balancer in front of it check GET /ready on the readiness port",
)
NO_APPLICATION_PORT = FindingType(
    "SM246",
    "error",
    "A proxy declares no application port for a listener of its virtual node",
    "nothing listens there",
    "start the workload again, with application_ports for that port in its bootstrap",
)
TCP_NOT_DISTINGUISHED = FindingType(
    "SM247",
    "error",
    "A TCP backend shares its port with another backend, and no address of its own is known",
    "a TCP connection names no host, so its connections go to the other backend",
    "give the virtual service a port of its own",
)
NO_EGRESS_PORT = FindingType(
    "SM248",
    "error",
    "A proxy declares no egress port for a TCP backend",
    "a TCP connection names no host: through a forward proxy alone the application does not reach the backend",
    'add the backend to "egress_ports" in node.metadata of the bootstrap, as "name:port": PORT, and let the application'
    " connect to 127.0.0.1:PORT",
)
UNKNOWN_EGRESS_PORT = FindingType(
    "SM249",
    "warning",
    "A proxy declares an egress port for something that is not a TCP port of a backend",
    "nothing listens there",
    "correct egress_ports in the bootstrap, or add the backend to the virtual node",
)
CERTIFICATE_IN_ACM = FindingType(
    "SM250",
    "error",
    "A listener takes its certificate from AWS Certificate Manager",
    "the listener is left out: ACM is not available, and plain text never takes the place of TLS",
    "give tls.certificate.file with paths in the proxy's file system (or sds), or set the mode to DISABLED",
)
AUTHORITY_IN_ACM = FindingType(
    "SM251",
    "error",
    "A client policy trusts authorities in AWS Certificate Manager",
    "callers cannot check the certificate, so they do not connect: their requests are answered 503",
    "give validation.trust.file with a path in the proxy's file system (or sds) in the client policy",
)
NO_NAME_TO_CHECK = FindingType(
    "SM252",
    "error",
    "A client policy names no subjectAlternativeNames, and its backend has no discovery name to check instead",
    "any certificate of the authority would be accepted, so callers do not connect: their requests are answered 503",
    "give validation.subjectAlternativeNames in the client policy, or serviceDiscovery to the virtual node",
)
DIFFERENT_POLICIES = FindingType(
    "SM253",
    "warning",
    "Backends with different client policies lead to the same listener",
    "connections to it all follow one of them: the one that enforces TLS, else that of the first backend",
    "give these backends the same clientPolicy, or write it once in backendDefaults",
)
NO_ATTRIBUTES = FindingType(
    "SM254",
    "warning",
    "An instance declares no attributes, and its virtual node selects instances by Cloud Map attributes",
    "it counts as an instance of the node, whatever its attributes are",
    "declare them in the proxy's bootstrap, as attributes in node.metadata",
)
NO_SUITABLE_INSTANCE = FindingType(
    "SM255",
    "error",
    "No instance of a virtual node has the address family and attributes that the node requires",
    "its callers' proxies have no endpoint for it and answer 503",
    "start a suitable instance, or change ipPreference or attributes under serviceDiscovery",
)
ANNOTATION_WITHOUT_EFFECT = FindingType(
    "SM256",
    "warning",
    "An annotation has no effect",
    "requests pass as if it were not there",
    "correct the annotation, or remove it",
)
MIRROR_WITHOUT_LISTENER = FindingType(
    "SM257",
    "warning",
    "The virtual node of a mirror has no HTTP listener",
    "nothing is mirrored",
    "give the virtual node such a listener, or name another in shopmesh.dev/mirror",
)
PATCH_NOT_APPLIED = FindingType(
    "SM258",
    "warning",
    "A patch of Envoy's configuration is not applied",
    "proxies get that resource unchanged",
    "correct the annotation shopmesh.dev/patch, or remove it",
)
NOT_ALLOWED = FindingType(
    "SM259",
    "warning",
    "A document uses a feature that the operator does not allow on Envoy's host",
    "that part of the document is left out: the log is not written, the patch is not applied",
    "start the control plane with the option that the finding names, or remove that part of the document",
)
CERTIFICATE_NOT_ALLOWED = FindingType(
    "SM260",
    "error",
    "A document names a certificate file that the operator does not allow on Envoy's host",
    "without its certificate nothing listens or connects, since plain text never takes the place of TLS:"
    " calls are answered 503",
    "start the control plane with the option that the finding names, or name a file in a folder that it allows",
)
