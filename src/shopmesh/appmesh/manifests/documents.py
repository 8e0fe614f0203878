"""Text to documents that know where they stand, so that an error can name file, document, line and field.

Read are YAML (several documents, a Kubernetes `List` taken apart) and JSON (one object or several, as for the `aws`
CLI's `--cli-input-json`). Numbers, booleans and strings are taken as YAML takes them; timestamps stay strings, because
the API knows none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from shopmesh.appmesh.manifests.vetting import Flaw, vet
from shopmesh.appmesh.store import Document

Path = tuple[str | int, ...]
"""Where a field stands in a document: `("spec", "routes", 0, "name")`."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster where it is built in


class DocumentError(ValueError):
    """A document that cannot be used; the message names file, document, line and field, and what to do."""


@dataclass(frozen=True)
class Source:
    """One document: its value and its place.

    `number` counts the documents of a file from 1; `line` is where it begins, from 1.
    """

    file: str
    number: int
    line: int
    value: Document
    _node: Any = field(default=None, repr=False, compare=False)

    def line_of(self, path: Path) -> int:
        """The line of that field, or of the nearest one above it that is spelled out."""
        line, node = self.line, self._node
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
                if not found:
                    break
                line, node = found[0][0].start_mark.line + 1, found[0][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def place(self, path: Path = ()) -> str:
        """`mesh/product.yaml, document 3, line 42, spec.routes[0].name`."""
        where = f"{self.file}, document {self.number}, line {self.line_of(path)}"
        return f"{where}, {spelled(path)}" if path else where

    def wrong(self, path: Path, message: str) -> DocumentError:
        """An error to raise about one field."""
        return DocumentError(f"{self.place(path)}: {message}")


def spelled(path: Path) -> str:
    """`("spec", "routes", 0)` as `spec.routes[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def documents(text: str, file: str) -> list[Source]:
    """The documents of one file's text; empty ones are left out.

    Raises `DocumentError` for text that is neither YAML nor JSON, and for a document that is not a mapping.
    """
    text = text.removeprefix("\ufeff")
    return list(_json(text, file) if text.lstrip().startswith(("{", "[")) else _yaml(text, file))


def _yaml(text: str, file: str) -> Iterator[Source]:
    loader = _Loader(text)
    number = 0
    try:
        while loader.check_node():
            number += 1
            node = loader.get_node()
            vet(node)
            yield from _parts(Source(file, number, node.start_mark.line + 1, loader.construct_document(node), node))
    except Flaw as flaw:
        raise _flawed(flaw, file, number) from None
    except RecursionError:
        raise DocumentError(f"{file}, document {number + 1}: it is nested too deeply to be read") from None
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, text, file, max(number, 1)) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"{file}, document {max(number, 1)}: this is not YAML: {error}") from None
    finally:
        loader.dispose()


def _json(text: str, file: str) -> Iterator[Source]:
    decoder = json.JSONDecoder()
    number = 0
    position = len(text) - len(text.lstrip())
    while position < len(text):
        number += 1
        line = text.count("\n", 0, position) + 1
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            if number == 1 and not file.endswith(".json"):
                yield from _yaml(text, file)  # `{kind: Mesh}` is YAML in its flow form
                return
            raise DocumentError(
                f"{file}, document {number}, line {error.lineno}: this is not JSON: {error.msg}"
            ) from None
        except RecursionError:
            raise DocumentError(f"{file}, document {number}, line {line}: it is nested too deeply to be read") from None
        nodes = _positions(text[position:end], line)
        try:
            vet(nodes)
        except Flaw as flaw:
            raise _flawed(flaw, file, number) from None
        yield from _parts(Source(file, number, line, value, nodes))
        position = end + len(text[end:]) - len(text[end:].lstrip())


def _positions(text: str, line: int) -> Any:
    """The nodes of a JSON text, for its lines only: in JSON a tab is a blank, in YAML it is not."""
    try:
        return yaml.compose("\n" * (line - 1) + text.replace("\t", " "), Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return None


def _parts(source: Source) -> Iterator[Source]:
    if source.value is None:
        return
    if not isinstance(source.value, dict):
        raise DocumentError(
            f"{source.place()}: a document is a mapping with apiVersion, kind and spec (or App Mesh JSON with"
            f" meshName), not {_a(source.value)}"
        )
    if source.value.get("kind") != "List":
        yield source
        return
    items = source.value.get("items") or []
    nodes = _child(source._node, "items")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise source.wrong(("items", index), f"an item of a List is a mapping, not {_a(item)}")
        node = nodes.value[index] if isinstance(nodes, yaml.SequenceNode) else None
        yield replace(source, value=item, line=source.line_of(("items", index)), _node=node)


def _child(node: Any, key: str) -> Any:
    pairs: Sequence[tuple[Any, Any]] = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _flawed(flaw: Flaw, file: str, number: int) -> DocumentError:
    where = f"{file}, document {number}" + (f", line {flaw.line}" if flaw.line else "")
    return DocumentError(f"{where}: {flaw}")


def _unreadable(error: yaml.MarkedYAMLError, text: str, file: str, number: int) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    hint = _hint(text.splitlines(), line)
    return DocumentError(f"{file}, document {number}, line {line}: this is not YAML: {error.problem}.{hint}")


def _hint(lines: Sequence[str], line: int) -> str:
    """What may be behind unreadable YAML; the parser often stumbles some lines after a template's own."""
    if 0 < line <= len(lines) and re.match(r"[ ]*\t", lines[line - 1]):
        return " The line is indented with a tab; use spaces."
    for number, text in enumerate(lines, start=1):
        if (mark := next((mark for mark in ("{{", "{%") if mark in text), None)) and not text.lstrip().startswith("#"):
            return f" Line {number} holds a template's placeholder ({mark}); render the template first."
    return ""


def _a(value: object) -> str:
    return "a list" if isinstance(value, list) else f"{str(value)[:40]!r}"
