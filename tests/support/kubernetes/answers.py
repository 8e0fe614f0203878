"""The `Status` objects that an API server answers when it does not do what it is asked.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shopmesh.kubernetes.api.resource_types import ResourceType

TOO_OLD_TO_GO_ON = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter."
)


class RefusalError(Exception):
    """Ends a request; `status` is the body of the answer, its `code` HTTP's."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None, wait: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.wait = wait
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            **({"reason": reason} if reason else {}),
            **({"details": details} if details else {}),
            "code": code,
        }


def _about(kind: ResourceType, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.plural, **more}


def _called(kind: ResourceType) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def not_found(kind: ResourceType, name: str) -> RefusalError:
    return RefusalError(404, "NotFound", f'{_called(kind)} "{name}" not found', _about(kind, name))


def already_exists(kind: ResourceType, name: str) -> RefusalError:
    return RefusalError(409, "AlreadyExists", f'{_called(kind)} "{name}" already exists', _about(kind, name))


def changed_meanwhile(kind: ResourceType, name: str) -> RefusalError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def conflict(kind: ResourceType, name: str, why: str) -> RefusalError:
    message = f'Operation cannot be fulfilled on {_called(kind)} "{name}": {why}'
    return RefusalError(409, "Conflict", message, _about(kind, name))


def another(kind: ResourceType, name: str, what: str, wanted: str, found: str) -> RefusalError:
    """A precondition (`UID`, `ResourceVersion`) of a removal that does not hold."""
    since = "deleted and then recreated" if what == "UID" else "modified"
    why = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
    return conflict(kind._replace(plural=kind.kind), name, f"{why}The object might have been {since}")


def not_the_same(kind: ResourceType, name: str, wanted: str, found: str) -> RefusalError:
    """Who replaces an object names the identity of another."""
    return conflict(kind, name, f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}")


def invalid(kind: ResourceType, name: str, causes: Iterable[tuple[str, str]]) -> RefusalError:
    """`causes` are fields and what is wrong with each."""
    found = list(causes)
    listed = [f"{field}: {message}" for field, message in found]
    said = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    called = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return RefusalError(
        422,
        "Invalid",
        f'{called} "{name}" is invalid: {said}',
        {
            **_about(kind, name),
            "kind": kind.kind,
            "causes": [{"reason": "FieldValueInvalid", "message": message, "field": field} for field, message in found],
        },
    )


def bad_request(message: str) -> RefusalError:
    return RefusalError(400, "BadRequest", message)


def too_old(wanted: int, oldest: int) -> RefusalError:
    return RefusalError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def continued_too_late() -> RefusalError:
    return RefusalError(410, "Expired", TOO_OLD_TO_GO_ON)


def unauthorized() -> RefusalError:
    return RefusalError(401, "Unauthorized", "Unauthorized")


def on_purpose(code: int) -> RefusalError:
    """What a test makes the server answer: overload, failures of its own, what is forbidden."""
    reason, message, wait = {
        403: ("Forbidden", "forbidden: the test says so", None),
        429: ("TooManyRequests", "Too many requests, please try again later.", 1),
        500: ("InternalError", "Internal error occurred: the test says so", None),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request", None),
        504: ("Timeout", "Timeout: request did not complete within the allotted timeout", None),
    }[code]
    return RefusalError(code, reason, message, {"retryAfterSeconds": wait} if wait else None, wait)
