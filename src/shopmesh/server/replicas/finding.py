"""A replica that does not answer is told where its silence matters: beside the findings."""

from __future__ import annotations

from shopmesh.appmesh.findings import Mistake

UNANSWERED = Mistake(
    "SM211",
    "warning",
    "A replica of the control plane does not answer the others",
    "the proxies that are connected to it, and what they counted, are missing in everything that is told",
    "look at its log; one that is starting or going away is missing for a moment only",
)
