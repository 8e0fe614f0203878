"""The author of a request, which its authentication sets in the ASGI scope, and which the routes that write read.

    SigV4Middleware (access key, door "api") ─┬─► scope ─► store.submit(work, author)
    console (access key, door "console") ─────┘

It says who asked; what a request may do does not depend on it.
"""

from __future__ import annotations

from starlette.types import Scope

from shopmesh.server.store.author import Author

__all__ = ["Author", "author_of", "set_author"]

_SCOPE_KEY = "shopmesh.author"
_UNAUTHENTICATED = Author(None, "api")


def set_author(scope: Scope, author: Author) -> None:
    """Sets the author of a request that has been authenticated."""
    scope[_SCOPE_KEY] = author


def author_of(scope: Scope) -> Author:
    """The author of a request; without a name where requests are not authenticated."""
    author = scope.get(_SCOPE_KEY, _UNAUTHENTICATED)
    return author if isinstance(author, Author) else _UNAUTHENTICATED
