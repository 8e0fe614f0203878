"""Requests below any client: exact bytes of path, headers and body over a socket of http.client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from tests.support.http_answers import Answer


def send(
    port: int,
    method: str,
    path: str,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own; `path` goes out as it is given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        sent = body.encode() if isinstance(body, str) else body
        connection.request(method, path, sent, {"content-type": "application/json", **(headers or {})})
        return Answer.read(connection.getresponse())
    finally:
        connection.close()


def post(port: int, *requests: tuple[str, dict[str, Any]], dry_run: bool = False) -> Answer:
    """Several requests, each with its operation's name, as one transaction."""
    operations = [{"operation": name, "parameters": parameters} for name, parameters in requests]
    body = json.dumps({"requests": operations, "dryRun": dry_run})
    return send(port, "POST", "/shopmesh/v1/requests", body)
