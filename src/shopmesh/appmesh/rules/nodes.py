"""Virtual nodes beyond their listeners: backends, discovery and access logs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from shopmesh.appmesh.rules.candidate import Candidate
from shopmesh.appmesh.rules.names import host_problems
from shopmesh.appmesh.validate import Problem, quote

# `%%`, or an operator: a name, arguments in parentheses, a length.
# https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
_OPERATOR = re.compile(r"%(?:%|[A-Z][A-Z0-9_]*(?:\([^)]*\))?(?::\d+)?%)")
_NEEDS_ARGUMENT = re.compile(r"%(?:REQ|RESP|TRAILER)(?:\(\))?(?::\d+)?%")


def backends(candidate: Candidate) -> Iterator[Problem]:
    """A backend may name a service that comes later, but only once, since hosts must differ in Envoy."""
    seen: set[str] = set()
    for index, backend in enumerate(candidate.spec.get("backends", ())):
        name = backend["virtualService"]["virtualServiceName"]
        field = f"spec.backends[{index}].virtualService.virtualServiceName"
        yield from host_problems(name, field)
        if name.lower() in seen:
            yield Problem(field, f"{quote(name)} is a backend already")
        seen.add(name.lower())


def discovery(candidate: Candidate) -> Iterator[Problem]:
    dns = candidate.spec.get("serviceDiscovery", {}).get("dns")
    if dns is not None and not _is_address(dns["hostname"]):
        yield from host_problems(dns["hostname"].removesuffix("."), "spec.serviceDiscovery.dns.hostname")


def access_log(candidate: Candidate) -> Iterator[Problem]:
    """The formats of an access log: what is between per cent signs must be an operator."""
    log = candidate.spec.get("logging", {}).get("accessLog", {}).get("file", {})
    field = "spec.logging.accessLog.file.format"
    format_ = log.get("format", {})
    if "text" in format_:
        yield from _format_problems(format_["text"], f"{field}.text")
    for index, entry in enumerate(format_.get("json", ())):
        yield from _format_problems(entry["value"], f"{field}.json[{index}].value")


def _format_problems(text: str, field: str) -> Iterator[Problem]:
    if "%" in _OPERATOR.sub("", text):
        yield Problem(field, f"{quote(text)} has a % that begins no operator; write %% for a per cent sign")
    for operator in _NEEDS_ARGUMENT.findall(text):
        yield Problem(field, f"{quote(operator)} needs the name of a header in parentheses")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
