"""A template's placeholders that were not filled in: `{{ .Values.mesh }}` of Helm and Jinja, `${MESH}` of envsubst."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from shopmesh.appmesh.api.validation import shorten
from shopmesh.documents.declared_resource import DeclaredResource
from shopmesh.documents.text.sources import FieldPath, Source, format_path

_VARIABLE = re.compile(r"\$\{[A-Za-z_][^{}]*\}")
_EXPRESSIONS = (("{{", "}}"), ("{%", "%}"))

_LITERAL = {"format", "regex", "annotations", "status"}
"""Below these, such a text may be meant as it stands: log formats, regular expressions, and what is not read."""


def placeholder(text: str) -> str | None:
    """The first placeholder in a text."""
    # By position, since a regular expression would look for the end again from each of many beginnings.
    found = []
    for line in text.splitlines():
        for opening, closing in _EXPRESSIONS:
            start = line.find(opening)
            end = line.find(closing, start + 2)
            if start >= 0 and end >= 0:
                found.append((start, line[start : end + 2]))
        if variable := _VARIABLE.search(line):
            found.append((variable.start(), variable[0]))
        if found:
            return shorten(min(found)[1])
    return None


def refuse_placeholders(source: Source) -> None:
    """Raises `DocumentError` for the first one in a document."""
    for path, text in strings(source.value, ()):
        if found := placeholder(text):
            raise source.error(
                path,
                f"{found} is a placeholder that was not filled in; render the template first (helm template, envsubst)",
            )


def strings(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    """All strings of a document, with their places, where a placeholder would be a mistake."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _LITERAL:
                yield from strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))


def find_placeholders(resources: Iterable[DeclaredResource]) -> Iterator[str]:
    """What a mesh says and `refuse_placeholders` would take for one, a line each: only the API can say it again."""
    for resource in resources:
        for path, text in strings(resource.spec, ()):
            if found := placeholder(text):
                where = f"{resource.key.kind} {'/'.join(resource.key.path[1:]) or resource.key.name}"
                yield f"{where}: {format_path(path)} holds {found}, which apply takes for a placeholder and refuses"
