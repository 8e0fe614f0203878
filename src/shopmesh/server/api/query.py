"""Numbers in the query of a request."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from shopmesh.appmesh.api.validation import quote


def number(request: Request, name: str, default: float) -> float:
    """A number of 0 or more; raises HTTPException 400 for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2**53:
        raise HTTPException(400, f"{name}={quote(text)} is not a number of 0 or more")
    return value
