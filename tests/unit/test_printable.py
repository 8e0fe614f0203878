"""Text of others on terminals, in logs and in pages: nothing raw, one record one line, and nothing is lost."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Group, RenderableType
from rich.control import strip_control_codes
from rich.text import Text

from shopmesh.cli import main
from shopmesh.cli.errors import CommandFailed
from shopmesh.cli.output import StyledText, echo, echo_document
from shopmesh.cli.views import findings_view
from shopmesh.cli.views.status_view import MeshStatus, render
from shopmesh.cli.views.tables import table
from shopmesh.documents import CombinedDocumentError, DocumentError, as_json, as_yaml
from shopmesh.load.report.escaping import escape
from shopmesh.local.processes.lines import LineSplitter
from shopmesh.local.processes.log_format import format_line
from shopmesh.local.processes.terminal import Terminal
from shopmesh.output.console import PlainConsole
from shopmesh.output.logs import LineFormatter
from shopmesh.output.printable import is_printable, printable, printable_lines
from tests.support.hostile import PIECES, RAW, texts, with_surrogates

SOURCE = Path(__file__).parents[2] / "src" / "shopmesh"
HOSTILE = "".join(PIECES)


def shown(*renderables: RenderableType, terminal: bool = False) -> str:
    """What a console writes."""
    file = io.StringIO()
    console = PlainConsole(file=file, width=10_000, force_terminal=terminal)
    for renderable in renderables:
        console.print(renderable, soft_wrap=True)
    return file.getvalue()


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@given(with_surrogates)
def test_printable_text_is_one_line_that_json_reads_as_it_was(text: str) -> None:
    """Whatever it was; what is printable already stays as it is."""
    made = printable(text)

    assert not RAW.search(made)
    assert "\n" not in made
    assert is_printable(made)
    assert (made == text) == is_printable(text)
    document = json.dumps({"text": text, "more": [text]}, ensure_ascii=False, indent=1)
    # Two lone surrogates in a row are written as one character beyond the first plane.
    assert json.loads(json.dumps({"text": text, "more": [text]})) == json.loads(printable_lines(document))


@given(with_surrogates)
@example(HOSTILE)
def test_a_console_shows_text_as_text(text: str) -> None:
    """As a string, styled, in a cell: no control, no markup, no emoji code, a line each."""
    rows = table(("A", text or "B"), [(text, Text(text, style="red")), (Text("x"), "y")])
    one = shown(text, Text(text), Text.assemble(("a", "bold"), text, ("z", "red")))

    assert not RAW.search(one)
    assert one.count("\n") == 3
    assert one.split("\n")[0] == printable(strip_control_codes(text))
    found = shown(rows, Group(Text(text), text))
    assert not RAW.search(found)
    assert found.count("\n") == 5


@given(with_surrogates)
def test_only_our_styles_reach_a_terminal(text: str) -> None:
    """A text's own sequences are shown, and its styles stay where they were."""
    found = shown(Text.assemble(("before", "red"), text, ("after", "green")), terminal=True)

    assert without_styles(found) == f"before{printable(strip_control_codes(text))}after\n"
    assert "\x1b[31mbefore\x1b[0m" in found
    assert "\x1b[32mafter\x1b[0m" in found


@given(with_surrogates)
def test_a_command_writes_one_line(text: str) -> None:
    """StyledText or not; a document keeps its own lines."""
    for parts in ((text,), ("a ", text), (StyledText(text, fg="red"), text)):
        file = io.StringIO()
        echo(*parts, file=file)
        assert not RAW.search(without_styles(file.getvalue()))
        assert file.getvalue().count("\n") == 1
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        echo_document(json.dumps({"a": text}, indent=1))
    assert not RAW.search(out.getvalue())
    # JSON writes two lone surrogates as it writes one character beyond the first plane.
    assert json.loads(json.dumps({"a": text})) == json.loads(out.getvalue())


@given(texts, texts)
def test_a_failure_is_one_line_a_cause(first: str, second: str) -> None:
    """Several wrong documents are a line each, whatever they are called."""
    file = io.StringIO()
    CommandFailed(str(CombinedDocumentError([DocumentError(first), DocumentError(second)]))).show(file)
    lines = without_styles(file.getvalue()).split("\n")

    assert not RAW.search(file.getvalue().replace("\x1b", ""))
    assert [f"error: {printable(first)}", f"error: {printable(second)}", ""] == lines


@given(with_surrogates)
def test_a_log_record_begins_one_line(text: str) -> None:
    """What follows is indented, and only a traceback follows."""
    try:
        raise ValueError(text)
    except ValueError as error:
        exc_info: Any = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.WARNING, "", 0, "refused %s", (text,), exc_info)
    first, *more = LineFormatter().format(record).split("\n")

    assert f"WARNING refused {printable(text)}" == first
    assert all(line.startswith("    ") for line in more)
    assert not any(RAW.search(line) for line in (first, *more))


@settings(deadline=None)
@given(message=texts, name=texts)
@example(message=f"GET /{HOSTILE}", name="path")
def test_a_program_s_line_stays_one_line(message: str, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The services' JSON, which holds escapes, and raw bytes: on the terminal of `up` and in its file."""
    folder = tmp_path_factory.mktemp("log")
    record = json.dumps({"level": "INFO", "message": message, name: message})
    file = io.StringIO()
    terminal = Terminal(PlainConsole(file=file, width=100), folder / "log")
    lines = LineSplitter()
    block = lines.feed(f"{record}\n{message}".encode(errors="replace")) + lines.rest()
    terminal.lines("product-vn-1 app", block)
    given_lines = block.decode().split("\n")[:-1]
    for line in given_lines:
        assert not RAW.search(format_line(line))
    terminal.say(message)
    terminal.close()
    wanted = len(given_lines) + 1

    for written in (file.getvalue(), (folder / "log").read_text(encoding="utf-8")):
        assert not RAW.search(written)
        assert written.count("\n") == wanted


def hostile_glance(text: str) -> MeshStatus:
    proxy: Any = {
        "mesh": text,
        "kind": "virtualNode",
        "name": text,
        "instance": text,
        "address": text,
        "connected": True,
        "since": None,
        "known": True,
        "declared": True,
        "inStep": False,
        "types": {},
        "refused": {"type": text, "message": text, "at": 0.0},
    }
    target: Any = {
        "virtualNode": text,
        "port": None,
        "weight": 1,
        "share": 1.0,
        "seen": None,
        "interval": None,
        "requests": 0,
        "errors": 0,
        "retries": 0,
        "p50": None,
        "p99": None,
    }
    split: Any = {"virtualService": text, "route": text, "targets": [target]}
    return MeshStatus(text, text, [], {"window": 1.0, "splits": [split]}, [proxy], [hostile_finding(text)])


def hostile_finding(text: str) -> Any:
    return {"severity": "error", **dict.fromkeys(("code", "mesh", "where", "what", "why", "fix", "docs"), text)}


@settings(deadline=None)
@given(texts)
@example(HOSTILE)
def test_status_and_doctor_show_names_and_refusals_on_their_lines(text: str) -> None:
    """As many lines as for a harmless name."""
    makes: list[Callable[[str], RenderableType]] = [
        lambda one: render(hostile_glance(one), 10_000),
        lambda one: findings_view.render(one, [hostile_finding(one)]),
    ]
    for make in makes:
        found = shown(make(text))

        assert not RAW.search(found)
        assert shown(make("a")).count("\n") == found.count("\n")


@given(st.dictionaries(texts, texts, max_size=3))
@example({HOSTILE: HOSTILE})
def test_manifests_hold_escapes_and_the_same_values(value: dict[str, str]) -> None:
    """Those of YAML and of JSON."""
    as_text = as_yaml([value]), as_json(value)

    assert [None, None] == [RAW.search(text) for text in as_text]
    assert value == yaml.safe_load(as_text[0])
    assert json.loads(json.dumps(value)) == json.loads(as_text[1])


@given(with_surrogates)
def test_a_page_holds_neither_markup_nor_controls_of_others(text: str) -> None:
    """A load's report is opened in a browser."""
    made = escape(text)

    assert not RAW.search(made)
    assert not set("<>\"'\n") & set(made)


def test_a_wrong_command_line_is_shown_as_it_is() -> None:
    """What was pasted into it clears no screen."""
    result = CliRunner().invoke(main, ["\x1b[2J\u202enope"])

    assert result.exit_code == 2
    assert "2J" in result.output
    assert not RAW.search(result.output)


@pytest.mark.parametrize(
    ("pattern", "only"),
    [
        (r"\bclick\.(secho|echo)\(", {"cli/output.py"}),
        (r"(?<![\w.])print\(", set()),
        (r"(?<!\w)Console\(", set()),
        (r"rich\.table", {"output/console.py"}),
        (r"\b(basicConfig|StreamHandler)\(", {"output/logs.py"}),
        (r"\bfrom_markup\(|rich\.markup|markup=True", set()),
        (r"from html import|import html$", {"load/report/escaping.py"}),
    ],
)
def test_every_output_goes_one_way(pattern: str, only: set[str]) -> None:
    """Nothing writes past what escapes."""
    files = [file for file in SOURCE.rglob("*.py") if "templates" not in file.parts]
    found = {str(file.relative_to(SOURCE)) for file in files if re.search(pattern, file.read_text(), re.MULTILINE)}

    assert only == found
