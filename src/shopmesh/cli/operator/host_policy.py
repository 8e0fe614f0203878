"""The options by which an operator allows documents to make Envoy do something on its host."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


def host_policy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--allow-patch`, `--access-log-folder` and `--certificate-folder`, as `host_policy` of a command."""

    @functools.wraps(command)
    def with_policy(
        *args: Any,
        allow_patch: bool,
        access_log_folders: tuple[str, ...],
        certificate_folders: tuple[str, ...],
        **options: Any,
    ) -> Any:
        from shopmesh.appmesh.host_policy import HostPolicy

        try:
            policy = HostPolicy(allow_patch, access_log_folders, certificate_folders)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return command(*args, host_policy=policy, **options)

    patch = click.option(
        "--allow-patch",
        is_flag=True,
        envvar="SHOPMESH_ALLOW_PATCH",
        show_envvar=True,
        help="Let documents patch what Envoy gets; a patch can run code, and read and write files, where Envoy runs.",
    )
    access_logs = _folder_option(
        "--access-log-folder",
        "access_log_folders",
        "SHOPMESH_ACCESS_LOG_FOLDERS",
        "Let documents write access logs to files below; /dev/stdout, /dev/stderr and /dev/null always are allowed.",
    )
    certificates = _folder_option(
        "--certificate-folder",
        "certificate_folders",
        "SHOPMESH_CERTIFICATE_FOLDERS",
        "Let documents name files below for Envoy to read certificates and keys from.",
    )
    decorated: Callable[..., Any] = patch(access_logs(certificates(with_policy)))
    return decorated


def _folder_option(
    option: str, name: str, variable: str, text: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        option,
        name,
        multiple=True,
        # As a path, for click splits a variable of paths at colons; what is there now does not matter.
        type=click.Path(path_type=str),
        metavar="FOLDER",
        envvar=variable,
        show_envvar=True,
        help=f"{text} Repeatable; in the variable several with colons.",
    )
