"""Text to documents that know where they stand, so that an error can name file, document, line and field.

Read are YAML (several documents, a Kubernetes `List` taken apart) and JSON (one object or several, as for the `aws`
CLI's `--cli-input-json`). Numbers, booleans and strings are taken as YAML takes them; timestamps stay strings, because
the API knows none.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from shopmesh.appmesh.api.validation import quote, shorten
from shopmesh.appmesh.store import Document
from shopmesh.documents.text.yaml_checks import (
    MOST_DOCUMENTS,
    YamlError,
    beyond_bounds,
    check_bounds,
    check_node,
    is_bounded_number,
)
from shopmesh.output.printable import printable

FieldPath = tuple[str | int, ...]
"""Where a field stands in a document: `("spec", "routes", 0, "name")`."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster where it is built in


_MOST_DIRECTIVES = 100
_BLANKS = re.compile(r"[ \t\n\r]*")


class DocumentError(ValueError):
    """A document that cannot be used; the text names file, document, line and field, and what to do.

    `place` and `path` are where it is, empty if unknown, `line` and `column` the same as numbers from 1, 0 if unknown;
    `message` is the text without them.
    """

    def __init__(self, message: str, place: str = "", path: FieldPath = (), line: int = 0, column: int = 0) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place
        self.path = path
        self.line = line
        self.column = column


MAX_ERRORS = 20
"""Errors that are shown at once."""


class CombinedDocumentError(DocumentError):
    """Several errors as one, a line each, `MAX_ERRORS` lines at most."""

    def __init__(self, errors: Iterable[DocumentError]) -> None:
        self.errors = tuple(one for error in errors for one in getattr(error, "errors", (error,)))
        lines = [str(error) for error in self.errors[:MAX_ERRORS]]
        if len(self.errors) > MAX_ERRORS:
            lines.append(f"… and {len(self.errors) - MAX_ERRORS} more")
        super().__init__("\n".join(map(printable, lines)))


def combine_errors(errors: Iterable[DocumentError]) -> DocumentError:
    """One error for several; a single one is itself."""
    found = tuple(errors)
    return found[0] if len(found) == 1 else CombinedDocumentError(found)


@dataclass(frozen=True)
class Source:
    """One document: its value and its place.

    `number` counts the documents of a file from 1; `line` is where it begins, from 1. `_above` are the lines of the
    file above the text of which `_node` is.
    """

    file: str
    number: int
    line: int
    value: Document
    _node: Any = field(default=None, repr=False, compare=False)
    _above: int = field(default=0, repr=False, compare=False)

    def line_of(self, path: FieldPath) -> int:
        """The line of that field, or of the nearest one above it that is spelled out."""
        return self.position_of(path)[0]

    def position_of(self, path: FieldPath) -> tuple[int, int]:
        """Line and column of that field, or of the nearest one above it that is spelled out."""
        node, mark = self._node, None
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
                if not found:
                    break
                mark, node = found[0][0].start_mark, found[0][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                mark = node.start_mark
            else:
                break
        return (self.line, 1) if mark is None else (self._above + mark.line + 1, mark.column + 1)

    def place(self, path: FieldPath = ()) -> str:
        """`mesh/product.yaml, document 3, line 42, spec.routes[0].name`."""
        where = f"{self.file}, document {self.number}, line {self.line_of(path)}"
        return f"{where}, {format_path(path)}" if path else where

    def error(self, path: FieldPath, message: str) -> DocumentError:
        """An error to raise about one field."""
        return DocumentError(message, self.place(path), path, *self.position_of(path))


def format_path(path: FieldPath) -> str:
    """`("spec", "routes", 0)` as `spec.routes[0]`."""
    words = (f"[{step}]" if isinstance(step, int) else f".{shorten(str(step))}" for step in path)
    return "".join(words).removeprefix(".")


def documents(text: str, file: str) -> list[Source]:
    """The documents of one file's text; empty ones are left out.

    Raises `DocumentError` for text that is neither YAML nor JSON, and for a document that is not a mapping.
    """
    text = text.removeprefix("\ufeff")
    return list(_json(text, file) if text.lstrip().startswith(("{", "[")) else _yaml(text, file))


def only_document(text: str, file: str) -> Document:
    """The value of a file that holds one document, which is a mapping; an empty file is an empty one.

    Raises `DocumentError`.
    """
    found = documents(text, file)
    if len(found) > 1:
        raise DocumentError(f"{found[1].place()}: the file must have one document, and this is another; remove it")
    return found[0].value if found else {}


def _yaml(text: str, file: str) -> Iterator[Source]:
    _refuse_unprintable(text, file)
    number = 0
    loader = None
    try:
        check_bounds(text, _Loader)
        loader = _Loader(text)
        while loader.check_node():
            number += 1
            node = loader.get_node()
            check_node(node)
            yield from _split_list(
                Source(file, number, node.start_mark.line + 1, loader.construct_document(node), node)
            )
    except YamlError as flaw:
        raise _document_error(flaw, file, number) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file, max(number, 1)) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"{file}, document {max(number, 1)}: this is not YAML: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_unprintable(text: str, file: str) -> None:
    """YAML has no control characters; PyYAML would name them by their offset."""
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _error_at_line(file, 1, line, f"this is not text: it holds the character U+{ord(found[0]):04X}")
    # libyaml compares each of these with all before it.
    directives = [*itertools.islice(re.finditer("^%TAG", text, re.MULTILINE), _MOST_DIRECTIVES + 1)]
    if len(directives) > _MOST_DIRECTIVES:
        line = text.count("\n", 0, directives[-1].start()) + 1
        raise _error_at_line(file, 1, line, f"more than {_MOST_DIRECTIVES} %TAG directives")


def _json(text: str, file: str) -> Iterator[Source]:
    number, line, position = 0, 1, 0
    for number in range(1, MOST_DOCUMENTS + 2):
        start = _end_of_blanks(text, position)
        line += text.count("\n", position, start)
        if start == len(text):
            return
        if number > MOST_DOCUMENTS:
            break
        reading = _JsonDecoder()
        try:
            value, position = reading.decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            if number == 1 and not file.endswith(".json"):
                yield from _yaml(text, file)  # `{kind: Mesh}` is YAML in its flow form
                return
            raise _error_at_line(file, number, error.lineno, f"this is not JSON: {error.msg}", error.colno) from None
        except RecursionError:
            raise _error_at_line(file, number, line, "the document is nested too deeply") from None
        written = text[start:position]
        try:
            nodes = _positions(written, number)
            check_node(nodes)
            reading.refuse(written)
        except YamlError as flaw:
            raise _document_error(flaw, file, number, line - 1) from None
        yield from _split_list(Source(file, number, line, value, nodes, line - 1))
        line += text.count("\n", start, position)
    raise _error_at_line(file, number, line, f"the file holds more than {MOST_DOCUMENTS} documents; split it")


class _JsonDecoder:
    """Decodes one JSON text, and notes what Python takes and no document means.

    It goes on to the end, unlike `strict_json`, so that the nodes of the text can then say the line.
    """

    def __init__(self) -> None:
        self._numbers: list[str] = []
        self._keys: list[str] = []
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=lambda text: self._number(text, int),
            parse_float=lambda text: self._number(text, float),
            parse_constant=lambda text: self._number(text, float),
        )

    def refuse(self, text: str) -> None:
        """Raises `YamlError` for the first of them; lines are counted in the document's text."""
        if self._numbers:
            line = text.count("\n", 0, text.find(self._numbers[0])) + 1
            raise YamlError(line, beyond_bounds(self._numbers[0]))
        if self._keys:
            raise YamlError(1, f"{quote(self._keys[0])} is given twice; keep one")

    def _number(self, text: str, convert: Callable[[str], int | float]) -> int | float:
        if is_bounded_number(text):
            return convert(text)
        self._numbers.append(text)
        return 0

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self._keys.append(Counter(name for name, _ in pairs).most_common(1)[0][0])
        return found


def _end_of_blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position


def _positions(text: str, number: int) -> Any:
    """The nodes of a JSON text, for its lines only: in JSON a tab is a blank, in YAML it is not."""
    text = text.replace("\t", " ")
    check_bounds(text, _Loader, number)
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:
        return None


def _split_list(source: Source) -> Iterator[Source]:
    if source.value is None:
        return
    if not isinstance(source.value, dict):
        raise source.error(
            (),
            "a document must be a mapping with apiVersion, kind and spec (or App Mesh JSON with meshName), not "
            + _describe(source.value),
        )
    if source.value.get("kind") != "List":
        yield source
        return
    items = source.value.get("items") or []
    if not isinstance(items, list):
        raise source.error(("items",), f"must be a list, not {quote(items)}")
    nodes = _child(source._node, "items")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise source.error(("items", index), f"an item of a List must be a mapping, not {_describe(item)}")
        node = nodes.value[index] if isinstance(nodes, yaml.SequenceNode) else None
        yield replace(source, value=item, line=source.line_of(("items", index)), _node=node)


def _child(node: Any, key: str) -> Any:
    pairs: Sequence[tuple[Any, Any]] = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _document_error(flaw: YamlError, file: str, number: int, above: int = 0) -> DocumentError:
    return _error_at_line(file, flaw.document or number, above + flaw.line, str(flaw))


def _error_at_line(file: str, number: int, line: int, message: str, column: int = 1) -> DocumentError:
    return DocumentError(message, f"{file}, document {number}, line {line}", (), line, column)


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str, number: int) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    hint = _syntax_hint(text.splitlines(), line)
    return _error_at_line(file, number, line, f"this is not YAML: {error.problem}.{hint}", column)


def _syntax_hint(lines: Sequence[str], line: int) -> str:
    """What may be behind unreadable YAML; the parser often stumbles some lines after a template's own."""
    if 0 < line <= len(lines) and re.match(r"[ ]*\t", lines[line - 1]):
        return " The line is indented with a tab; use spaces."
    for number, text in enumerate(lines, start=1):
        if (mark := next((mark for mark in ("{{", "{%") if mark in text), None)) and not text.lstrip().startswith("#"):
            return f" Line {number} holds a template's placeholder ({mark}); render the template first."
    return ""


def _describe(value: object) -> str:
    return "a list" if isinstance(value, list) else quote(value)
