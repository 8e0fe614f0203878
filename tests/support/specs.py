"""Small specifications, as the API takes them, and the ARN of their mesh."""

from __future__ import annotations

from typing import Any

ARN = "arn:aws:appmesh:us-east-1:123456789012:mesh/m"
HTTP = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}


def route(*nodes: str) -> dict[str, Any]:
    targets = [{"virtualNode": node, "weight": 1} for node in nodes]
    return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
