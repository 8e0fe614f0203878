"""The templates of a service, filled in for tests."""

from __future__ import annotations

from shopmesh.new import scaffold
from shopmesh.new.names import ServiceName, parse_version
from shopmesh.new.templates import Templates


def templates(service: str, version: str = "1.0", language: str = "python", calls: tuple[str, ...] = ()) -> Templates:
    words = scaffold.template_words(ServiceName(service), parse_version(version), language, calls)
    return Templates(words | {"extended": f"{service.upper()}S"})
