"""Options by which an operator allows resources to make Envoy act on its host."""

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
        help="Allow patches of Envoy's configuration: a patch can run code and access files where Envoy runs.",
    )
    access_logs = _folder_option(
        "--access-log-folder",
        "access_log_folders",
        "SHOPMESH_ACCESS_LOG_FOLDERS",
        "Allow access logs in files below this folder; /dev/stdout, /dev/stderr and /dev/null are always allowed.",
    )
    certificates = _folder_option(
        "--certificate-folder",
        "certificate_folders",
        "SHOPMESH_CERTIFICATE_FOLDERS",
        "Allow certificates and keys from files below this folder.",
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
        help=f"{text} Repeatable; colons separate several in the variable.",
    )
