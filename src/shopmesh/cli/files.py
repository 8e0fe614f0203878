"""Reads the documents of `-f`: a file, a folder, or standard input; and defines the options that name them."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopmesh.cli.output import echo

if TYPE_CHECKING:
    from shopmesh.documents import Source, TemplateOptions

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILES = 10_000
MAX_TOTAL_BYTES = 64 << 20
"""Size of all files of one command together."""
MAX_MATCHING_SECONDS = 2.0
"""Time for matching all template parameters against their patterns."""


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `-f` and `--parameter` to a command, as `files` and `parameters`."""
    parameter = click.option(
        "--parameter",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Parameter of a CloudFormation template; repeatable.",
    )
    filename = click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        metavar="FILE|DIR|-",
        help="File or folder to read, - for standard input; repeatable.",
    )
    return filename(parameter(command))


class FilesCommand(click.Command):
    """A command that reads files: says how to name them when they stand without `-f`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        without_option = [
            word
            for before, word in pairwise(["", *args])
            if before not in ("-f", "--filename") and _looks_like_a_file(word)
        ]
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if not without_option:
                raise
            name = without_option[0]
            hint = f"files are named with -f: `{ctx.command_path} -f {name}`"
            raise click.UsageError(f"{name!r} is not an argument of {self.name}; {hint}", ctx) from error


def _looks_like_a_file(word: str) -> bool:
    return not word.startswith("-") and (word.endswith(("/", *SUFFIXES)) or Path(word).exists())


def template_parameters(parameters: Iterable[str], region: str) -> TemplateOptions:
    """The template parameters of `--parameter`; raises `click.BadParameter`."""
    from shopmesh.documents import TemplateOptions

    values = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{parameter!r} is not of the form NAME=VALUE", param_hint="--parameter")
        if name in values:
            raise click.BadParameter(f"{name!r} is given twice; give it once", param_hint="--parameter")
        values[name] = value
    return TemplateOptions(values, region, matches=_BoundedMatcher())


def report_skipped(documents: Iterable[Source]) -> None:
    """Reports skipped documents, which are not App Mesh resources, on standard error."""
    from shopmesh.documents import ignored_documents

    for source in documents:
        for kind, place in ignored_documents(source):
            echo(f"skipped {kind} ({place}): not an App Mesh resource", err=True)


def read_sources(names: Iterable[str]) -> list[Source]:
    """All documents of these files; of a folder, those of its YAML and JSON files, sorted by name.

    Raises `DocumentError`, `InputFileError`, `OSError`, and `click.ClickException` for a folder without documents.
    """
    from shopmesh.documents import documents
    from shopmesh.files.input_files import LARGEST, check_size, decode, read_text

    found: list[Source] = []
    read = 0
    for name in names:
        for path in [None] if name == "-" else _list_files(Path(name)):
            label = "standard input" if path is None else str(path)
            if path is None:
                text = decode(check_size(sys.stdin.buffer.read(LARGEST + 1), label), label)
            else:
                text = read_text(path)
            read += len(text)
            if read > MAX_TOTAL_BYTES:
                raise click.ClickException(f"{label}: all files together are larger than {MAX_TOTAL_BYTES >> 20} MiB")
            found += documents(text, label)
    return found


def _list_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [*islice((file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file()), MAX_FILES + 1)]
    if not files:
        raise click.ClickException(f"{path} contains no {', '.join(SUFFIXES)} file")
    if len(files) > MAX_FILES:
        raise click.ClickException(f"{path} contains more than {MAX_FILES} files; split the folder")
    return sorted(files)


class _BoundedMatcher:
    """Matches values against patterns, for at most `MAX_MATCHING_SECONDS` in all calls together."""

    def __init__(self) -> None:
        self._left = MAX_MATCHING_SECONDS

    def __call__(self, pattern: str, value: str) -> bool:
        """Whether the pattern matches the whole value; raises `re.error`, and `TimeoutError` when the time is over."""
        began = time.monotonic()
        try:
            with _time_limit(max(self._left, 0.001)):
                return re.fullmatch(pattern, value) is not None
        finally:
            self._left -= time.monotonic() - began


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raises `TimeoutError` if the block takes longer; main thread only. The engine of `re` handles signals."""

    def expire(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
