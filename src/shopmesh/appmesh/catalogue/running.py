"""What only a running mesh shows to be wrong: its proxies, instances and replicas."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

UNKNOWN_PROXY = FindingType(
    "SM201",
    "error",
    "A proxy is connected under a name that the mesh does not have",
    "it gets no configuration and serves nothing",
    "create the virtual node or gateway, or start the proxy under the name of one that exists",
)
REFUSED_CONFIGURATION = FindingType(
    "SM202",
    "error",
    "A proxy refused its configuration",
    "it goes on with the last configuration that it accepted, not with what the mesh says now",
    "change the resource that the message names; the next change is sent at once",
)
NOT_IN_SYNC = FindingType(
    "SM203",
    "warning",
    "A proxy has not yet confirmed what it was sent",
    "until it does it serves the configuration before",
    "wait a moment; when it stays, look at the proxy's log",
)
ONLY_REPLICA_DISCONNECTED = FindingType(
    "SM204",
    "error",
    "The only replica of a weighted version is gone",
    "its share of the requests fails when it is really gone; a proxy that only lost the control plane goes on serving",
    "start it again, or take its weight away",
)
NO_ENDPOINT = FindingType(
    "SM205",
    "error",
    "A weighted version has no proxy, and nothing else says where it is",
    "its share of the requests is answered 503",
    "start a workload for it, or take its weight away (a host name is asked for only while it never had a proxy)",
)
ONE_HOST = FindingType(
    "SM206",
    "warning",
    "Outlier detection watches a single host",
    "there is no other host to send to: with the only one ejected, Envoy sends to it all the same",
    "run more instances; where they are found by DNS, set responseType to ENDPOINTS, so that each address is a host",
)
NO_CERTIFICATE = FindingType(
    "SM208",
    "error",
    "A proxy could not load the files of a certificate",
    "connections that need it fail, or go on with the certificate before",
    "move files that fit to where it looks for them, in the proxy's file system; it tries again every few seconds",
)
NO_READY_REPLICA = FindingType(
    "SM209",
    "error",
    "No replica of a weighted version is ready",
    "its share of the requests is answered 503",
    "start its application again, or take its weight away; its log says why it is not ready",
)
CERTIFICATE_EXPIRES = FindingType(
    "SM210",
    "warning",
    "A certificate of a proxy expires soon, or has expired",
    "from then on connections with it fail",
    "move new files over the old ones, which the proxy takes at once; GET /certs of its admin interface says which",
)
UNREACHABLE_REPLICA = FindingType(
    "SM211",
    "warning",
    "A replica of the control plane does not answer the others",
    "the proxies that are connected to it, and what they counted, are missing in everything that is told",
    "look at its log; one that is starting or going away is missing for a moment only",
)
STORE_LOST_CHANGES = FindingType(
    "SM213",
    "error",
    "The store has lost changes",
    "what was written to it and answered is not there any more: resources, weights, canaries",
    "apply the mesh's documents again, or stop the control plane and put back a copy of the store with all its files; "
    "then remove the file that the finding names",
)
