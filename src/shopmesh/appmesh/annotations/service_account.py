"""The one service account whose pods may be proxies of a virtual node or gateway; it counts on Kubernetes alone."""

from __future__ import annotations

import re

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names"""


def parse(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise AnnotationError("it is not a service account's name; allowed are lowercase letters, digits, - and .")
    return text


SERVICE_ACCOUNT = Annotation(
    "service-account",
    ("virtualNode", "virtualGateway"),
    "on Kubernetes, only pods of this service account can be its proxies",
    "product",
    parse,
)
