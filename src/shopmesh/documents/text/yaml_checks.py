"""Refuses what YAML allows but is never meant, while the document is events or nodes with known lines."""

from __future__ import annotations

import math
from typing import Any

import yaml

from shopmesh.appmesh.api.validation import quote, shorten
from shopmesh.documents.text.cloudformation_tags import is_template_node, long_form, spell_out

MOST_VALUES = 2_000_000
"""What one file may hold, aliases counted as often as they are used: a small file can spell an enormous one. A mesh of
1,000 services and 5,000 routes is a quarter of it."""

MOST_DOCUMENTS = 100_000
"""Documents of one file."""

DEEPEST = 64
"""Levels of one document; App Mesh's deepest has 12, as the API counts them."""

LONGEST_NUMBER = 40
"""Characters of a number; the largest that the API takes has 19. Python refuses to write one of more than 4,300."""

_STANDARD = "tag:yaml.org,2002:"
_PLAIN = {f"{_STANDARD}{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}
_TEXTS = {f"{_STANDARD}{name}" for name in ("timestamp", "value", "merge")}
"""What YAML 1.1 takes for something else, and documents mean as a text."""


class YamlError(ValueError):  # it becomes a DocumentError, with the file's name
    """Something wrong at a line of a document, both from 1; document 0 is the one that is being read."""

    def __init__(self, line: int, message: str, document: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.document = document


def check_bounds(text: str, loader: Any, number: int = 1) -> None:
    """Refuses a YAML text with too many levels, values or documents; raises `YamlError`.

    `number` is its first document's.

    Reading events takes no recursion. Composing them does, in C, where too deep a text ends the process.
    Text that is not YAML passes up to its error, which the composer then reports.
    """
    depth, values, document = 0, 0, number - 1
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.NodeEvent):
                values += 1
                if values > MOST_VALUES:
                    raise YamlError(_line(event), f"the file holds more than {MOST_VALUES} values; split it", document)
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    raise YamlError(_line(event), _TOO_DEEP, document)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentStartEvent):
                document += 1
                if document > MOST_DOCUMENTS:
                    raise YamlError(
                        _line(event), f"the file holds more than {MOST_DOCUMENTS} documents; split it", document
                    )
    except yaml.YAMLError:
        return


def check_node(root: Any) -> None:
    """Refuses a key given twice, keys that are not words, tags that mean nothing here, aliases without end, and numbers
    beyond all bounds.

    Takes timestamps for strings, and spells out the short forms of a CloudFormation template. Raises `YamlError`.
    """
    template = is_template_node(root)
    pending, seen = [(root, 1)] if root is not None else [], 0
    while pending:
        node, depth = pending.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise YamlError(_line(root), f"more than {MOST_VALUES} values, as aliases repeat them; write fewer aliases")
        if depth > DEEPEST:
            raise YamlError(_line(node), _TOO_DEEP)
        _check_tag(node, template)
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            pending.extend((item, depth + 1) for item in node.value)
        elif isinstance(node, yaml.MappingNode):
            _check_keys(node)
            pending.extend((value, depth + 1) for _, value in node.value)
    if template:
        spell_out(root)


_TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"


def _check_tag(node: Any, template: bool) -> None:
    if node.tag in _PLAIN or node.tag in _TEXTS:
        return
    if not node.tag.startswith("!") or long_form(node.tag) is None:
        tag = node.tag.replace(_STANDARD, "!!", 1)
        raise YamlError(_line(node), f"the tag {shorten(tag)} is not supported; write the value itself")
    if not template:
        raise YamlError(
            _line(node),
            f"{node.tag} is a function of CloudFormation, but this document is not a template: it has no Resources",
        )


def _check_scalar(node: yaml.ScalarNode) -> None:
    if node.tag in _TEXTS:
        node.tag = f"{_STANDARD}str"
    elif node.tag in (f"{_STANDARD}int", f"{_STANDARD}float") and not is_bounded_number(node.value):
        raise YamlError(_line(node), beyond_bounds(node.value))


def is_bounded_number(text: str) -> bool:
    """Whether a number, as YAML or JSON spell it, is finite and short enough to compute with."""
    if len(text) > LONGEST_NUMBER:
        return False
    try:
        return math.isfinite(float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")))
    except ValueError:
        return True  # hexadecimal, octal, or in sixties: whole, and short


def beyond_bounds(text: str) -> str:
    """Why such a number is refused."""
    return f"the number {quote(text)} is beyond all bounds; put it in quotes if it is a text"


def _check_keys(node: yaml.MappingNode) -> None:
    names: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlError(
                _line(key),
                "a key must be a string, not a list or mapping. If this is a template's placeholder ({{ … }}), render"
                " the template first",
            )
        if key.value in names:
            raise YamlError(_line(key), f"{quote(key.value)} is given twice; keep one")
        if key.tag != f"{_STANDARD}merge":
            _check_tag(key, template=False)
            _check_scalar(key)
        names.add(key.value)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
