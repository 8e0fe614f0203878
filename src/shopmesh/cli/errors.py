"""Turns known errors into a line on standard error and an exit status."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, Any

import click

from shopmesh.cli.output import StyledText, echo
from shopmesh.cli.settings import color_setting
from shopmesh.output.printable import printable_lines

_UNKNOWN_KEY = ("MissingAuthenticationTokenException", "UnrecognizedClientException")
_KEY_HINT = (
    "; for a mesh of this machine, go to the folder of its project, or run "
    '`eval "$(shopmesh env --run-dir FOLDER)"` with its run folder'
)


class CommandFailed(click.ClickException):
    """A failed command: one line for each cause, exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.message.split("\n"):
            echo(
                StyledText("error:", fg="red", bold=True),
                f" {line}",
                file=file,
                err=file is None,
                color=color_setting(),
            )


@contextlib.contextmanager
def as_click_error() -> Iterator[None]:
    """Raises known errors of the block as `CommandFailed`; others are bugs and keep their traceback."""
    try:
        yield
    except click.UsageError as error:
        raise click.UsageError(printable_lines(error.format_message()), error.ctx) from error
    except click.ClickException as error:
        if error.exit_code != 1:
            raise
        raise CommandFailed(error.message) from error
    except Exception as error:
        if (message := _message(error)) is None:
            raise
        raise CommandFailed(message) from error


def _message(error: Exception) -> str | None:
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError as BotoClientError

    from shopmesh.client import ClientError, ResponseError
    from shopmesh.documents import DocumentError
    from shopmesh.files.input_files import InputFileError
    from shopmesh.local.errors import LocalError
    from shopmesh.new.errors import ScaffoldError

    match error:
        case ResponseError():
            return f"{error.message} ({error.code}){_KEY_HINT if error.code in _UNKNOWN_KEY else ''}"
        case ClientError() | DocumentError() | InputFileError() | LocalError() | ScaffoldError() | BotoCoreError():
            return str(error)
        case BotoClientError():
            message, code = error.response["Error"].get("Message"), error.response["Error"].get("Code")
            return f"{message} ({code}){_KEY_HINT if code in _UNKNOWN_KEY else ''}"
        case ModuleNotFoundError(name="kubernetes_asyncio"):
            return "this command needs the client of Kubernetes: pip install 'shopmesh[kubernetes]'"
        case OSError() if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
    return None
