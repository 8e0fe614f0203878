"""`!Sub text` and its like, spelled out as `{"Fn::Sub": "text"}` while the document is still YAML nodes.

On nodes, so that the lines stay known. The forms are listed in
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

from typing import Any

import yaml

FUNCTIONS = frozenset(
    {
        *("And", "Base64", "Cidr", "Equals", "FindInMap", "GetAtt", "GetAZs", "If", "ImportValue", "Join", "Length"),
        *("Not", "Or", "Select", "Split", "Sub", "ToJsonString", "Transform"),
    }
)
_PLAIN = {"Ref", "Condition"}
_TAG = "tag:yaml.org,2002:"
_KINDS = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}


def is_template_node(root: Any) -> bool:
    """Whether a YAML document looks like a template, before it is a value."""
    return isinstance(root, yaml.MappingNode) and any(
        isinstance(key, yaml.ScalarNode) and key.value in ("Resources", "AWSTemplateFormatVersion")
        for key, _ in root.value
    )


def long_form(tag: str) -> str | None:
    """The function's key for a tag such as `!Sub`, or None for a tag that CloudFormation does not have."""
    name = tag.removeprefix("!")
    return name if name in _PLAIN else f"Fn::{name}" if name in FUNCTIONS else None


def spell_out(root: Any) -> None:
    """Replaces every known short form below a node; one that aliases share is replaced by one and the same."""
    nodes = _below(root)
    outer = {
        identity: _wrap(node, name)
        for identity, node in nodes.items()
        if node is not root and (name := long_form(node.tag) if node.tag.startswith("!") else None)
    }
    for node in nodes.values():
        if isinstance(node, yaml.SequenceNode):
            node.value[:] = [outer.get(id(item), item) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            node.value[:] = [(key, outer.get(id(item), item)) for key, item in node.value]


def _below(root: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    pending = [root]
    while pending:
        node = pending.pop()
        if id(node) in found:
            continue
        found[id(node)] = node
        if isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            pending.extend(item for _, item in node.value)
    return found


def _wrap(node: Any, name: str) -> Any:
    key = yaml.ScalarNode(f"{_TAG}str", name, node.start_mark, node.start_mark)
    node.tag = _TAG + _KINDS[type(node)]
    return yaml.MappingNode(f"{_TAG}map", [(key, node)], node.start_mark, node.end_mark)
