"""The errors of the App Mesh API, named after the codes that clients see.

    ApiError
    ├── BadRequest           the document or a parameter is wrong
    ├── Conflict             the name is taken, or the client token was used for another request
    ├── Forbidden            the mesh of another account
    ├── NotFound             the resource, or one that it refers to, does not exist
    ├── ResourceInUse        something still refers to it
    ├── TooManyTags          more than 50 tags on one resource
    ├── TooManyRequests      wrong sign-in codes arrive faster than is allowed
    ├── ServiceUnavailable   the store cannot write
    └── ProtocolError        refused before an operation was known; each class brings its own HTTP status
        ├── UnknownOperation, MethodNotAllowed, SerializationError, UnsupportedMediaType, RequestTooLarge
        ├── RequestTimeout, MisdirectedRequest, CrossSiteRequest
        └── Unauthenticated, NotSignedIn

The HTTP status of the first group is not written here: `rest_json.status_of` takes it from the error shapes of the
published model, so a code that the model does not have cannot be answered.
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """An error that the API answers; `code` is the name that clients see, the message says what to do."""

    code: ClassVar[str]

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else self.code


class BadRequest(ApiError):
    code = "BadRequestException"


class Conflict(ApiError):
    code = "ConflictException"


class Forbidden(ApiError):
    code = "ForbiddenException"


class NotFound(ApiError):
    code = "NotFoundException"


class ResourceInUse(ApiError):
    code = "ResourceInUseException"


class TooManyTags(ApiError):
    code = "TooManyTagsException"


class TooManyRequests(ApiError):
    code = "TooManyRequestsException"


class ServiceUnavailable(ApiError):
    code = "ServiceUnavailableException"


class InternalServerError(ApiError):
    code = "InternalServerErrorException"


class ProtocolError(ApiError):
    """An error below the operations; its code is not in the service's model, as with AWS's own front end."""

    status: ClassVar[int]


class UnknownOperation(ProtocolError):
    code = "UnknownOperationException"
    status = 404


class MethodNotAllowed(ProtocolError):
    """The path exists, the method does not; `allowed` goes into the `Allow` header."""

    code = "UnknownOperationException"
    status = 405

    def __init__(self, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class SerializationError(ProtocolError):
    """The body is not a JSON object. Code and status as in Smithy's restJson1 protocol tests for malformed bodies.

    https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
    """

    code = "SerializationException"
    status = 400


class UnsupportedMediaType(ProtocolError):
    code = "UnsupportedMediaTypeException"
    status = 415


class RequestTooLarge(ProtocolError):
    code = "RequestEntityTooLargeException"
    status = 413


class RequestTimeout(ProtocolError):
    code = "RequestTimeoutException"
    status = 408


class MisdirectedRequest(ProtocolError):
    """The request names a host that this server does not answer for.

    https://www.rfc-editor.org/rfc/rfc9110#status.421
    """

    code = "MisdirectedRequestException"
    status = 421


class CrossSiteRequest(ProtocolError):
    """A browser sent it for a web page of another site."""

    code = "CrossSiteRequestException"
    status = 403


class Unauthenticated(ProtocolError):
    """The signature is missing, malformed, expired or wrong; code and status are those of AWS's common errors.

    https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
    """

    code = "InvalidSignatureException"
    status = 403

    def __init__(self, message: str, code: str = "InvalidSignatureException", status: int = 403) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # one class for the five codes of one cause
        self.status = status  # type: ignore[misc]  # as above


class NotSignedIn(ProtocolError):
    """A request to the console without a valid cookie, or a sign-in with a wrong code."""

    code = "NotSignedInException"
    status = 401
