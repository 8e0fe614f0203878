"""Virtual nodes beyond their listeners: backends, discovery and access logs."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh import resolved
from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.document_types import AccessLogFileDocument, DnsDocument
from shopmesh.appmesh.rules import operators
from shopmesh.appmesh.rules.names import host_problems
from shopmesh.appmesh.rules.rule_input import RuleInput
from shopmesh.appmesh.texts import is_address


def backends(candidate: RuleInput) -> Iterator[Problem]:
    """A backend may name a service that comes later, but only once, since hosts must differ in Envoy."""
    seen: set[str] = set()
    for index, backend in enumerate(resolved.backends(candidate.spec)):
        name = backend["virtualServiceName"]
        field = f"spec.backends[{index}].virtualService.virtualServiceName"
        yield from host_problems(name, field)
        if name.lower() in seen:
            yield Problem(field, f"{quote(name)} is listed twice")
        seen.add(name.lower())


def discovery(candidate: RuleInput) -> Iterator[Problem]:
    dns: DnsDocument | None = candidate.spec.get("serviceDiscovery", {}).get("dns")
    if dns is not None and not is_address(dns["hostname"]):
        yield from host_problems(dns["hostname"].removesuffix("."), "spec.serviceDiscovery.dns.hostname")


def access_log(candidate: RuleInput) -> Iterator[Problem]:
    """A format that Envoy refuses costs all listeners; two entries of one key would be one."""
    log: AccessLogFileDocument | None = candidate.spec.get("logging", {}).get("accessLog", {}).get("file")
    field = "spec.logging.accessLog.file.format"
    format_ = log.get("format", {}) if log else {}
    if "text" in format_:
        yield from operators.problems(format_["text"], f"{field}.text")
    keys: set[str] = set()
    for index, entry in enumerate(format_.get("json", ())):
        yield from operators.problems(entry["value"], f"{field}.json[{index}].value")
        if entry["key"] in keys:
            yield Problem(f"{field}.json[{index}].key", f"{quote(entry['key'])} is used twice")
        keys.add(entry["key"])
