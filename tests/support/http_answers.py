"""What an HTTP request was answered, for tests that look at more than a client shows."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """A response, with header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, response: http.client.HTTPResponse) -> Self:
        return cls(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    @property
    def code(self) -> str:
        """The error's, as App Mesh's API names it."""
        return self.headers.get("x-amzn-errortype", "")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])
