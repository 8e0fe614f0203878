"""What a client is told when it does not get what it asked for.

ClientError
├── UnreachableError    no answer in time, or the server is not a control plane of shopmesh
└── ResponseError       the control plane answered with an error: its code and message
"""

from __future__ import annotations


class ClientError(Exception):
    """Shown to the user as it is: each message says what to do."""


class UnreachableError(ClientError):
    """No control plane answers at that address."""


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
