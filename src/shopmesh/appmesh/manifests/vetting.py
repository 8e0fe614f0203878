"""What YAML allows and nobody means, refused while the document is still nodes and lines are known."""

from __future__ import annotations

from typing import Any

import yaml

from shopmesh.appmesh.manifests.short_forms import is_template_node, long_form, spell_out

MOST_NODES = 2_000_000
"""What one file may hold, aliases counted as often as they are used: a small file can spell an enormous one. A mesh of
1,000 services and 5,000 routes is a quarter of it."""

DEEPEST = 64
"""Levels of one document; App Mesh's deepest has 12, as the API counts them."""


class Flaw(ValueError):  # noqa: N818  # it becomes a DocumentError, with the file's name
    """Something wrong at a line (from 1; 0 when it is nowhere in particular)."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def vet(root: Any) -> None:
    """Refuses a key given twice, keys that are not words, tags that mean nothing here, aliases without end.

    Takes timestamps for strings, and spells out the short forms of a CloudFormation template. Raises `Flaw`.
    """
    template = is_template_node(root)
    pending, seen = [(root, 1)] if root is not None else [], 0
    while pending:
        node, depth = pending.pop()
        seen += 1
        if seen > MOST_NODES:
            raise Flaw(0, f"more than {MOST_NODES} values; split the file")
        if depth > DEEPEST:
            raise Flaw(_line(node), f"it is nested deeper than {DEEPEST} levels")
        _vet_tag(node, template)
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:timestamp":
            node.tag = "tag:yaml.org,2002:str"
        elif isinstance(node, yaml.SequenceNode):
            pending.extend((item, depth + 1) for item in node.value)
        elif isinstance(node, yaml.MappingNode):
            _vet_keys(node)
            pending.extend((value, depth + 1) for _, value in node.value)
    if template:
        spell_out(root)


def _vet_tag(node: Any, template: bool) -> None:
    if not node.tag.startswith("!"):
        return
    if long_form(node.tag) is None:
        raise Flaw(_line(node), f"the tag {node.tag} means nothing here; write the value itself")
    if not template:
        raise Flaw(_line(node), f"{node.tag} is a function of CloudFormation, and this is no template: no Resources")


def _vet_keys(node: yaml.MappingNode) -> None:
    names: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Flaw(
                _line(key),
                "a key must be a word, not a list or mapping. If this is a template's placeholder ({{ … }}), render"
                " the template first",
            )
        if key.value in names:
            raise Flaw(_line(key), f"{key.value!r} is given twice; keep one")
        names.add(key.value)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
