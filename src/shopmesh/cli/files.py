"""The documents behind `-f`: a file, a folder, or standard input; and the options that name them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shopmesh.appmesh.manifests import Given, Source

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST = 16 << 20
"""Bytes of one file; a mesh of a thousand services is a tenth of it."""


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-f` and `--parameter`, as `files` and `parameters` of a command."""
    parameter = click.option(
        "--parameter",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="A CloudFormation template's parameter; repeatable.",
    )
    filename = click.option(
        "-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="Documents; repeatable."
    )
    return filename(parameter(command))


def given(parameters: Iterable[str], region: str) -> Given:
    """What `--parameter` gives a template; raises `click.BadParameter`."""
    from shopmesh.appmesh.manifests import Given

    values = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{parameter!r} is not of the form NAME=VALUE", param_hint="--parameter")
        if name in values:
            raise click.BadParameter(f"{name!r} is given twice; keep one", param_hint="--parameter")
        values[name] = value
    return Given(values, region)


def tell_skipped(documents: Iterable[Source]) -> None:
    """Says on standard error what of the documents is not App Mesh's."""
    from shopmesh.appmesh.manifests import skipped

    for source in documents:
        for kind, place in skipped(source):
            click.echo(f"skipped {kind} ({place}): not App Mesh's", err=True)


def sources(names: Iterable[str]) -> list[Source]:
    """All documents of these files; in a folder, of each file with a fitting suffix, sorted by name.

    Raises `DocumentError`, `OSError`, and `click.ClickException` for a folder without documents.
    """
    from shopmesh.appmesh.manifests import documents

    found: list[Source] = []
    for name in names:
        if name == "-":
            found += documents(_decoded(sys.stdin.buffer.read(LARGEST + 1), "standard input"), "standard input")
            continue
        for path in _files(Path(name)):
            with path.open("rb") as file:
                found += documents(_decoded(file.read(LARGEST + 1), str(path)), str(path))
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not files:
        raise click.ClickException(f"{path} holds no {', '.join(SUFFIXES)} file")
    return files


def _decoded(content: bytes, name: str) -> str:
    if len(content) > LARGEST:
        raise click.ClickException(f"{name} is larger than {LARGEST >> 20} MiB; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise click.ClickException(f"{name}, line {line}: this is not UTF-8 text; save the file as UTF-8") from error
