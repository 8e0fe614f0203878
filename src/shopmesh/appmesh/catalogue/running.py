"""What only a running mesh shows to be wrong: its proxies, instances and replicas."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

UNKNOWN_PROXY = FindingType(
    "SM201",
    "error",
    "A proxy is connected under a name that the mesh does not have",
    "it gets no configuration and serves no requests",
    "create the virtual node or gateway, or start the proxy under the name of one that exists",
)
REFUSED_CONFIGURATION = FindingType(
    "SM202",
    "error",
    "A proxy rejected its configuration (NACK)",
    "it keeps the last configuration that it accepted, not the mesh's current one",
    "correct the resource that the message names; the new configuration is sent at once",
)
NOT_IN_SYNC = FindingType(
    "SM203",
    "warning",
    "A proxy has not yet acknowledged its configuration",
    "until it does, it uses the previous configuration",
    "wait a few seconds; if the finding stays, read the proxy's log",
)
ONLY_REPLICA_DISCONNECTED = FindingType(
    "SM204",
    "error",
    "The only replica of a weighted version is disconnected",
    "its share of the requests fails if it has stopped; a proxy that only lost the control plane still serves requests",
    "start it again, or set its weight to 0",
)
NO_ENDPOINT = FindingType(
    "SM205",
    "error",
    "A weighted version has no endpoint",
    "its share of the requests is answered 503",
    "start a workload for it, or set its weight to 0; its DNS host name does not help, since callers use that only"
    " until a proxy of the virtual node connects for the first time",
)
ONE_HOST = FindingType(
    "SM206",
    "warning",
    "Outlier detection watches a single host",
    "there is no other host: Envoy sends requests to the only one even while it is ejected",
    "run more instances; if DNS finds them, set responseType to ENDPOINTS, so that each address is a host; or give the"
    " virtual node the annotation shopmesh.dev/panic-threshold: 0%, so that requests are answered 503 at once instead",
)
NO_CERTIFICATE = FindingType(
    "SM208",
    "error",
    "A proxy could not load the files of a certificate",
    "connections that need it fail, or use the previous certificate",
    "put valid files at these paths in the proxy's file system; it tries again every few seconds",
)
NO_READY_REPLICA = FindingType(
    "SM209",
    "error",
    "No replica of a weighted version is ready",
    "its share of the requests is answered 503",
    "read the application's log, which says why it is not ready, and restart it; or set its weight to 0",
)
CERTIFICATE_EXPIRES = FindingType(
    "SM210",
    "warning",
    "A certificate of a proxy expires soon, or has expired",
    "connections that use it fail once it has expired",
    "replace the files, which the proxy then loads at once; GET /certs on its admin interface lists them",
)
UNREACHABLE_REPLICA = FindingType(
    "SM211",
    "warning",
    "A replica of the control plane does not answer the other replicas",
    "its connected proxies and their statistics are missing from status, figures and findings",
    "read its log; a replica that is starting or stopping is missing for a few seconds only",
)
STORE_LOST_CHANGES = FindingType(
    "SM213",
    "error",
    "The store has lost changes",
    "changes that were stored and acknowledged are missing: resources, weights, canaries",
    "apply the mesh's documents again, or stop the control plane and restore a copy of the store with all its files; "
    "then remove the file that the finding names",
)
