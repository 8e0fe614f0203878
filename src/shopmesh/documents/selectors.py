"""Kubernetes' label selectors. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shopmesh.appmesh.store import Document


def selects(selector: Document | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector holds for these labels.

    An absent one selects nothing, an empty one everything, one that is not a selector nothing.
    """
    if not isinstance(selector, Mapping):
        return False
    wanted, expressions = match_labels(selector), selector.get("matchExpressions") or []
    if wanted is None or not isinstance(expressions, list):
        return False
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def match_labels(selector: Document) -> Mapping[str, str] | None:
    """The labels that a selector spells out; None where they are not labels."""
    wanted = selector.get("matchLabels")
    if wanted is None:
        return {}
    if not isinstance(wanted, Mapping) or not all(isinstance(text, str) for pair in wanted.items() for text in pair):
        return None
    return wanted


def _holds(expression: Any, labels: Mapping[str, str]) -> bool:
    match expression:
        case {"key": str(key), "operator": "In", "values": list(values)}:
            return labels.get(key) in values
        case {"key": str(key), "operator": "NotIn", "values": list(values)}:
            return labels.get(key) not in values
        case {"key": str(key), "operator": "Exists"}:
            return key in labels
        case {"key": str(key), "operator": "DoesNotExist"}:
            return key not in labels
    return False
