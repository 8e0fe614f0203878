"""The published fields and bounds of the Gateway API v1.7.0, standard channel, so far as the export may use them.

From https://gateway-api.sigs.k8s.io/reference/spec/ and the CRDs in
https://github.com/kubernetes-sigs/gateway-api/tree/v1.7.0/config/crd/standard; fields that the export has no use for
are left out, so that a misspelled one is found here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = Any
Check = Callable[[Json, str], Iterator[str]]

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"


def text(pattern: str = ".*", longest: int = 253, shortest: int = 1) -> Check:
    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, str) or not shortest <= len(value) <= longest:
            yield f"{at}: {value!r} is no text of {shortest} to {longest} characters"
        elif not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{at}: {value!r} does not match {pattern}"

    return check


def one_of(*words: str) -> Check:
    def check(value: Json, at: str) -> Iterator[str]:
        if value not in words:
            yield f"{at}: {value!r} is none of {words}"

    return check


def number(lowest: int, highest: int) -> Check:
    def check(value: Json, at: str) -> Iterator[str]:
        if type(value) is not int or not lowest <= value <= highest:
            yield f"{at}: {value!r} is not in {lowest} to {highest}"

    return check


def many(item: Check, most: int, fewest: int = 0, key: str | None = None) -> Check:
    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, list) or not fewest <= len(value) <= most:
            yield f"{at}: {value!r} is no list of {fewest} to {most}"
            return
        for index, entry in enumerate(value):
            yield from item(entry, f"{at}[{index}]")
        keys = [entry.get(key, "").lower() for entry in value] if key else []
        if len(keys) != len(set(keys)):
            yield f"{at}: {key} must differ: {keys}"

    return check


def mapping(fields: Mapping[str, Check], *required: str) -> Check:
    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is no mapping"
            return
        yield from (f"{at}.{name}: required" for name in required if name not in value)
        for name, item in value.items():
            if name not in fields:
                yield f"{at}.{name}: unknown"
            else:
                yield from fields[name](item, f"{at}.{name}")

    return check


PORT = number(1, 65535)
NAME = text(_SUBDOMAIN)
SERVICE = text(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", 63)
NAMESPACE = text(_LABEL, 63)
HOSTNAME = text(rf"(?:\*\.)?{_SUBDOMAIN}")
DURATION = text(r"(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}")
PARENT = mapping(
    {
        "group": text(longest=253, shortest=0),
        "kind": one_of("Service", "Gateway"),
        "name": NAME,
        "namespace": NAMESPACE,
        "port": PORT,
        "sectionName": NAME,
    },
    "name",
)
PARENTS = many(PARENT, 32, 1)
BACKEND = mapping(
    {"name": SERVICE, "namespace": NAMESPACE, "port": PORT, "weight": number(0, 1_000_000)}, "name", "port"
)
BACKENDS = many(BACKEND, 16, 1)
HEADERS = many(
    mapping(
        {
            "type": one_of("Exact", "RegularExpression"),
            "name": text(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", 256),
            "value": text(longest=4096),
        },
        "name",
        "value",
    ),
    16,
    key="name",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
HTTP_MATCH = mapping(
    {
        "path": mapping({"type": one_of("Exact", "PathPrefix", "RegularExpression"), "value": text(longest=1024)}),
        "headers": HEADERS,
        "queryParams": HEADERS,
        "method": one_of(*METHODS),
    }
)
REWRITE = mapping(
    {
        "hostname": text(_SUBDOMAIN),
        "path": mapping(
            {
                "type": one_of("ReplaceFullPath", "ReplacePrefixMatch"),
                "replaceFullPath": text(longest=1024),
                "replacePrefixMatch": text(longest=1024),
            },
            "type",
        ),
    }
)
HTTP_RULE = mapping(
    {
        "name": NAME,
        "matches": many(HTTP_MATCH, 64),
        "filters": many(mapping({"type": one_of("URLRewrite"), "urlRewrite": REWRITE}, "type", "urlRewrite"), 16),
        "backendRefs": BACKENDS,
        "timeouts": mapping({"request": DURATION, "backendRequest": DURATION}),
        "retry": mapping({"codes": many(number(400, 599), 99), "attempts": number(0, 2**32), "backoff": DURATION}),
    }
)
GRPC_METHOD = mapping(
    {
        "type": one_of("Exact", "RegularExpression"),
        "service": text(r"(?i)\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*", 1024),
        "method": text("[A-Za-z_][A-Za-z_0-9]*", 1024),
    }
)
GRPC_RULE = mapping(
    {
        "name": NAME,
        "matches": many(mapping({"method": GRPC_METHOD, "headers": HEADERS}), 64),
        "backendRefs": BACKENDS,
    }
)
LISTENER = mapping(
    {
        "name": NAME,
        "hostname": HOSTNAME,
        "port": PORT,
        "protocol": one_of("HTTP", "HTTPS", "TLS", "TCP"),
        "tls": mapping(
            {"mode": one_of("Terminate", "Passthrough"), "certificateRefs": many(mapping({"name": NAME}), 64)}
        ),
        "allowedRoutes": mapping({"namespaces": mapping({"from": one_of("All", "Same", "Selector")})}),
    },
    "name",
    "port",
    "protocol",
)
HOSTNAMES = many(HOSTNAME, 16)
SPECS = {
    "HTTPRoute": mapping({"parentRefs": PARENTS, "hostnames": HOSTNAMES, "rules": many(HTTP_RULE, 16, 1)}, "rules"),
    "GRPCRoute": mapping({"parentRefs": PARENTS, "hostnames": HOSTNAMES, "rules": many(GRPC_RULE, 16, 1)}, "rules"),
    "TCPRoute": mapping(
        {"parentRefs": PARENTS, "rules": many(mapping({"name": NAME, "backendRefs": BACKENDS}, "backendRefs"), 1, 1)},
        "rules",
    ),
    "Gateway": mapping(
        {"gatewayClassName": NAME, "listeners": many(LISTENER, 64, 1, key="name")}, "gatewayClassName", "listeners"
    ),
}


def problems(document: Mapping[str, Json]) -> list[str]:
    """What the published API would refuse about an object."""
    found = list(
        mapping(
            {
                "apiVersion": one_of("gateway.networking.k8s.io/v1"),
                "kind": one_of(*SPECS),
                "metadata": mapping({"name": NAME, "namespace": NAMESPACE}, "name", "namespace"),
                "spec": SPECS[document["kind"]],
            },
            "apiVersion",
            "kind",
            "metadata",
            "spec",
        )(document, document["kind"])
    )
    for index, rule in enumerate(document["spec"].get("rules", ())):
        found += _rule_problems(rule, f"{document['kind']}.spec.rules[{index}]")
    return found


def _rule_problems(rule: Mapping[str, Json], at: str) -> Iterator[str]:
    """The CRDs' validation rules beyond single fields."""
    paths = [match["path"] for match in rule.get("matches", ()) if "path" in match]
    for path in paths:
        value = path["value"]
        if path["type"] != "RegularExpression":
            if not re.fullmatch(r"/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*", value):
                yield f"{at}: the path {value!r} has characters that are not allowed"
            if any(part in value for part in ("//", "/./", "/../", "%2f", "%2F", "#")) or value.endswith(("/.", "/..")):
                yield f"{at}: the path {value!r} is not allowed"
    for entry in rule.get("filters", ()):
        kind = entry["urlRewrite"].get("path", {}).get("type")
        if kind == "ReplacePrefixMatch" and [path["type"] for path in paths] != ["PathPrefix"]:
            yield f"{at}: ReplacePrefixMatch needs exactly one match by PathPrefix"
    for match in rule.get("matches", ()):
        if "method" in match and isinstance(match["method"], dict) and not {*match["method"]} & {"service", "method"}:
            yield f"{at}: one of service and method must be given"
    times = rule.get("timeouts", {})
    whole, once = (milliseconds(times.get(name, "0s")) for name in ("request", "backendRequest"))
    if whole and once > whole:
        yield f"{at}: backendRequest is longer than request"


def milliseconds(duration: str) -> int:
    units = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    return sum(int(amount) * units[unit] for amount, unit in re.findall(r"(\d+)(ms|h|m|s)", duration))
