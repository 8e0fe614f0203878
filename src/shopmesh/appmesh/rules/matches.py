"""What a request is matched by: paths, headers, query parameters, metadata, and the regular expressions in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Iterator, Sequence

import re2

from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.document_types import HeaderDocument, MatchDocument, QueryParameterDocument

# Envoy's re2.max_program_size.error_level, which stock Envoy has at its default.
# https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/regex.proto
LARGEST_PROGRAM = 100
_HEADER = re.compile(r":?[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED_METADATA = "aws.app-mesh"


def regex_problems(pattern: str, field: str) -> Iterator[Problem]:
    """Refuses what Envoy's RE2 does not compile, or compiles to more than it runs."""
    flaw = _flaw(pattern)
    if flaw is not None:
        yield Problem(field, f"{quote(pattern)} is not accepted by RE2: {flaw}")


@functools.lru_cache(maxsize=1024)
def _flaw(pattern: str) -> str | None:
    options = re2.Options()
    options.log_errors = False
    # As Envoy compiles; with UTF-8 a negated class counts four times as much.
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        size = re2.compile(pattern.encode(), options).programsize
    except re2.error as error:
        reason = error.args[0]
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    if size > LARGEST_PROGRAM:
        return f"its program size is {size}, allowed are at most {LARGEST_PROGRAM}; make it shorter"
    return None


def path_problems(match: MatchDocument, field: str) -> Iterator[Problem]:
    """Prefix or path or neither, both from the root; a regular expression must compile."""
    if "prefix" in match and "path" in match:
        yield Problem(field, "prefix and path cannot be used together")
    if "prefix" in match:
        yield from _from_root(match["prefix"], f"{field}.prefix")
    if "path" in match:
        yield from exactly_one(match["path"], ("exact", "regex"), f"{field}.path")
        if "exact" in match["path"]:
            yield from _from_root(match["path"]["exact"], f"{field}.path.exact")
        if "regex" in match["path"]:
            yield from regex_problems(match["path"]["regex"], f"{field}.path.regex")


def exactly_one(value: Container[str], names: tuple[str, ...], field: str) -> Iterator[Problem]:
    given = [name for name in names if name in value]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        yield Problem(field, f"exactly one of {', '.join(names)} is required, found: {found}")


def header_problems(headers: Iterable[HeaderDocument], field: str) -> Iterator[Problem]:
    """Headers, or a gRPC route's metadata, by name and kind of match."""
    for index, header in enumerate(headers):
        here = f"{field}[{index}]"
        if not _HEADER.fullmatch(header["name"]):
            yield Problem(f"{here}.name", f"{quote(header['name'])} is not a header name")
        match = header.get("match") or {}
        if "regex" in match:
            yield from regex_problems(match["regex"], f"{here}.match.regex")
        if "range" in match:
            start, end = match["range"]["start"], match["range"]["end"]
            if start >= end:
                text = f"start {start} is not before end {end}; the end is not part of the range"
                yield Problem(f"{here}.match.range", text)


def metadata_problems(metadata: Sequence[HeaderDocument], field: str) -> Iterator[Problem]:
    yield from header_problems(metadata, field)
    for index, entry in enumerate(metadata):
        if entry["name"].lower().startswith(_RESERVED_METADATA):
            text = f"{quote(entry['name'])} begins with {_RESERVED_METADATA}, which is reserved"
            yield Problem(f"{field}[{index}].name", text)


def service_name(match: MatchDocument, field: str) -> Iterator[Problem]:
    """Of a gRPC route or gateway route."""
    if match.get("serviceName") == "":
        yield Problem(f"{field}.serviceName", "must not be empty; leave it out to match every service")


def query_problems(parameters: Iterable[QueryParameterDocument], field: str) -> Iterator[Problem]:
    for index, parameter in enumerate(parameters):
        if not parameter["name"]:
            yield Problem(f"{field}[{index}].name", "must not be empty")
        if "exact" not in parameter.get("match", {"exact": ""}):
            yield Problem(f"{field}[{index}].match", "exact is required; leave match out to accept any value")


def _from_root(path: str, field: str) -> Iterator[Problem]:
    if not path.startswith("/"):
        yield Problem(field, f"{quote(path)} must begin with /")
