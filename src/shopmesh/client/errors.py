"""Errors of requests to the control plane.

ClientError
├── UnreachableError    no answer in time, or the server is not a control plane of shopmesh
└── ResponseError       the control plane answered with an error: its code and message
"""

from __future__ import annotations


class ClientError(Exception):
    """Its message is shown to the user unchanged and says what to do."""


class UnreachableError(ClientError):
    """No control plane answered at that address, in time."""


class ResponseError(ClientError):
    """An answer of the control plane that is an error.

    `code` is App Mesh's name of it (NotFoundException, …), `status` the HTTP status; `index` tells which of several
    requests was refused.
    """

    def __init__(self, code: str, message: str, status: int, index: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.index = index
