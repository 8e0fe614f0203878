"""Kubernetes' label selectors. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/"""

from __future__ import annotations

from collections.abc import Mapping

from shopmesh.appmesh.store import Document


def selects(selector: Document | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector holds for these labels. An absent one selects nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def _holds(expression: Document, labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
