"""Matches that the Gateway API can express as narrowly as App Mesh; None for all others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from shopmesh.appmesh.store import Document
from shopmesh.documents.gateway_api.output import Warnings

Match = dict[str, Any]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F", "#")
_GRPC_SERVICE = re.compile(r"(?i)\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*")
_GRPC_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_REST = ".*"


def http_match(match: Document, warnings: Warnings) -> Match | None:
    """The `matches` entry of an httpRoute's match, without its port and host name; None leaves the rule out."""
    made: Match = {}
    path = _path(match, warnings)
    headers = _headers(match.get("headers", ()), warnings)
    query = _query(match.get("queryParameters", ()), warnings)
    if path is None or headers is None or query is None:
        return None
    made["path"] = path
    if "method" in match:
        made["method"] = match["method"]
    if "scheme" in match:
        warnings.add(f"the scheme {match['scheme']} is not matched; the Gateway API has no match by scheme")
    return made | ({"headers": headers} if headers else {}) | ({"queryParams": query} if query else {})


def grpc_match(match: Document, warnings: Warnings) -> Match | None:
    """The `matches` entry of a grpcRoute's match; empty when it takes everything, None leaves the rule out."""
    headers = _headers(match.get("metadata", ()), warnings)
    if headers is None:
        return None
    method = {}
    for key, name, form in (("service", "serviceName", _GRPC_SERVICE), ("method", "methodName", _GRPC_METHOD)):
        if name in match:
            if not form.fullmatch(match[name]):
                warnings.add(f"left out: {match[name]!r} is not a valid gRPC {key} in the Gateway API")
                return None
            method[key] = match[name]
    return ({"method": {"type": "Exact", **method}} if method else {}) | ({"headers": headers} if headers else {})


def _path(match: Document, warnings: Warnings) -> Match | None:
    path = match.get("path", {})
    if "regex" in path:
        return {"type": "RegularExpression", "value": path["regex"]}
    kind, value = ("Exact", path["exact"]) if "exact" in path else ("PathPrefix", match.get("prefix", "/"))
    if not _PATH.fullmatch(value) or any(part in value for part in _NOT_IN_PATHS) or value.endswith(("/.", "/..")):
        warnings.add(f"left out: the Gateway API does not allow the path {value!r}")
        return None
    if kind == "PathPrefix" and value != "/":
        shown = value.rstrip("/")
        caught = f"{value} and what is below it only" if value.endswith("/") else f"{value}, {value}x and {value}/x"
        warnings.add(f"the prefix {value} took {caught}; PathPrefix takes whole elements: {shown} and {shown}/x")
    return {"type": kind, "value": value}


def _headers(headers: Sequence[Document], warnings: Warnings) -> list[Match] | None:
    made = []
    for header in headers:
        name = header["name"]
        converted = _value(header)
        if converted is None or not _HEADER.fullmatch(name):
            how = (
                "inverted"
                if header.get("invert")
                else "a range"
                if converted is None
                else "not a header of the request"
            )
            warnings.add(f"left out: the match of {name} is {how}, which the Gateway API cannot express")
            return None
        kind, value, note = converted
        if note:
            warnings.add(f"the header {name} is matched by the regular expression {value}, {note}")
        made.append({"type": kind, "name": name, "value": value})
    return None if _report_duplicate([entry["name"].lower() for entry in made], "header", warnings) else made


def _value(header: Document) -> tuple[str, str, str] | None:
    """Type, value, and why it is no longer what it was."""
    match = header.get("match", {})
    if header.get("invert") or "range" in match:
        return None
    if "exact" in match:
        return "Exact", match["exact"], ""
    if "regex" in match:
        return "RegularExpression", match["regex"], ""
    if "prefix" in match:
        return "RegularExpression", re.escape(match["prefix"]) + _REST, "for there is no match by prefix"
    if "suffix" in match:
        return "RegularExpression", _REST + re.escape(match["suffix"]), "for there is no match by suffix"
    return "RegularExpression", _REST, "for there is no match by presence"


def _query(parameters: Sequence[Document], warnings: Warnings) -> list[Match] | None:
    made = []
    for parameter in parameters:
        if not _HEADER.fullmatch(parameter["name"]):
            warnings.add(f"left out: the Gateway API does not allow the query parameter {parameter['name']!r}")
            return None
        exact = parameter.get("match", {}).get("exact")
        if exact:
            made.append({"type": "Exact", "name": parameter["name"], "value": exact})
            continue
        value = _REST if exact is None else "^$"
        warnings.add(f"the parameter {parameter['name']} is matched by the regular expression {value}")
        made.append({"type": "RegularExpression", "name": parameter["name"], "value": value})
    return None if _report_duplicate([entry["name"] for entry in made], "query parameter", warnings) else made


def _report_duplicate(names: list[str], what: str, warnings: Warnings) -> bool:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        warnings.add(f"left out: the {what} {twice} is matched twice, and the Gateway API allows each once")
    return twice is not None
