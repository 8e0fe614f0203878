"""The commands that the pages show, and whether the program that each of them calls would accept it.

    a page ─► blocks of `sh` and `console` ─► simple commands ─► click, kubectl, botocore's model, the Makefile, Compose

Nothing is run but `kubectl … --help`, which parses all options first and needs no cluster.
"""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import botocore.session
import click
import yaml
from botocore import xform_name

from shopmesh.cli import COMMANDS, main
from tests.support.process import BIN

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/**/*.md"), *ROOT.glob("k8s/**/*.md")}
)

_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_UNMARKED = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HERE_DOCUMENT = re.compile(r"<<-?\s*'?(\w+)'?([^\n]*)\n.*?^\1$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#\s.*$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`((?:shopmesh|make) [^`\n]+)`(?!`)")
_ASSIGNMENT = re.compile(r"\w+=")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_OPERATORS = ";&|()<>\n"
_KEYWORDS = {"!", "{", "}", "do", "done", "elif", "else", "eval", "exec", "fi", "if", "then", "time", "until", "while"}
# Other programs that the pages call: a name that is missing here is misspelt, or is to be added.
_OTHER_PROGRAMS = re.compile(
    r"\[|\.|base64|cat|cd|cp|curl|df|docker|echo|eksctl|envoy|export|for|git|grep|gunicorn|id|jq|kill|kind|ls|minikube|"
    r"mkdir|openssl|pip|python3|rm|sed|seq|sha256sum|sleep|source|ssh|ssh-keygen|test|tr|wait"
)


class Command(NamedTuple):
    """One simple command of a page."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def shell_text(language: str, block: str) -> str:
    """A block as a script: of a console only what stands behind a prompt, with the lines that continue it."""
    if language == "sh":
        return block
    lines: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            lines.append(line[2:])
        elif lines and (lines[-1].endswith("\\") or _quote_is_open(lines[-1])):
            lines[-1] += f"\n{line}"
    return "\n".join(lines)


def _quote_is_open(text: str) -> bool:
    try:
        shlex.split(_COMMENT.sub("", text))
    except ValueError:
        return True
    return False


def simple_commands(script: str) -> Iterator[tuple[str, ...]]:
    """The words of each command, without assignments, redirections and the shell's keywords."""
    script = _COMMENT.sub("", _HERE_DOCUMENT.sub(r"\2", script)).replace("\\\n", " ")
    lexer = shlex.shlex(script, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    skip = False
    for token in [*lexer, "\n"]:
        if skip:
            skip = False
        elif not set(token) <= set(_OPERATORS):
            words.append(token)
        elif set(token) & set("<>") and "\n" not in token:
            skip = True  # a redirection: its file is not a word of the command
            if words and words[-1].isdecimal():
                words.pop()
        else:
            yield from _commands_of(words)
            words = []


def _commands_of(words: list[str]) -> Iterator[tuple[str, ...]]:
    for word in words:
        for inner in _SUBSTITUTION.findall(word):
            yield from simple_commands(inner)
    while words and (words[0] in _KEYWORDS or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if words and not words[0].startswith("$"):
        yield tuple(words)
        yield from _nested(words)


def _nested(words: list[str]) -> Iterator[tuple[str, ...]]:
    """What a command runs inside a container."""
    if words[:2] == ["docker", "compose"] and "exec" in words and "shopmesh" in words:
        yield tuple(words[words.index("shopmesh") :])
    elif words[:2] == ["docker", "compose"] and "run" in words and "cli" in words:
        yield ("shopmesh", *words[words.index("cli") + 1 :])
    elif words[0] == "kubectl" and "--" in words:
        yield tuple(words[words.index("--") + 1 :])


def commands(page: Path) -> Iterator[Command]:
    """All commands in the blocks of a page."""
    for language, block in _BLOCK.findall(page.read_text()):
        for words in simple_commands(shell_text(language, block)):
            yield Command(str(page.relative_to(ROOT)), words)


def unmarked_commands(page: Path) -> list[str]:
    """Lines of blocks without a language that are commands, so that they would be left out here."""
    # A fence that closes a marked block looks as one that opens an unmarked one, so the marked ones go first.
    text = re.sub(r"^```\w+\n.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in _UNMARKED.findall(text) for line in block.splitlines()]
    program = re.compile(r"(\$ )?(aws appmesh|curl|docker|envoy|export|kubectl|make|shopmesh) [^\u2190-\u25ff]*")
    return [line for line in lines if program.fullmatch(line)]


def mentions(page: Path) -> Iterator[Command]:
    """Commands of shopmesh and make that stand in a sentence or a table; they may be shortened."""
    for text in _INLINE.findall(page.read_text()):
        for words in simple_commands(re.sub(r"[…<>|]|\.\.\.", " ", text)):
            yield Command(str(page.relative_to(ROOT)), words)


def examples() -> Iterator[Command]:
    """What the help texts of shopmesh show as examples."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        for line in (command.epilog or "").splitlines() if command else []:
            if line.startswith("  ") and re.search(r"\bshopmesh ", line):
                for words in simple_commands(re.split(r" {2,}", line.strip())[0]):
                    yield Command(f"shopmesh {name} --help", words)


def problem(command: Command) -> str | None:
    """Why the program would not accept a command; None when it would."""
    program, *arguments = command.words
    if program in _CHECKS:
        return _CHECKS[program](arguments)
    if "/" in program:
        return None if program.startswith("./") or (ROOT / program).exists() else f"there is no file {program}"
    known = _OTHER_PROGRAMS.fullmatch(program) or program in _functions(command.page)
    return None if known else f"{program} is not a known program"


def mention_problem(command: Command) -> str | None:
    """The same for a command in a sentence: only names and options, since arguments may be left out."""
    program, *arguments = command.words
    if program == "make":
        return _make_problem([word for word in arguments if not _ASSIGNMENT.match(word)])
    if program != "shopmesh" or not arguments or arguments[0].startswith("-"):
        return None
    found = main.get_command(click.Context(main), arguments[0])
    if found is None:
        return f"shopmesh has no command {arguments[0]}"
    options = {option for part in (found, main) for parameter in part.params for option in parameter.opts}
    wrong = [
        word
        for word in arguments
        if word.startswith("--") and word.partition("=")[0] not in {*options, "--help", "--version"}
    ]
    return f"{arguments[0]} has no option {wrong[0]}" if wrong else None


@cache
def _functions(page: str) -> frozenset[str]:
    """Functions of the shell that the page defines itself."""
    path = ROOT / page
    return frozenset(re.findall(r"^(\w+)\(\) \{", path.read_text(), re.MULTILINE)) if path.exists() else frozenset()


def _shopmesh_problem(arguments: list[str]) -> str | None:
    """Parsed by click as it would be, except that files need not exist."""
    if arguments in (["--help"], ["--version"]):
        return None
    # Options of the group stand before the command's name.
    end = next((index for index, word in enumerate(arguments) if word in COMMANDS), len(arguments))
    try:
        with main.make_context("shopmesh", arguments[: end + 1]) as context:
            if end == len(arguments):
                return f"shopmesh has no command {' '.join(arguments)}"
            command = main.get_command(context, arguments[end])
            if command is not None and "--help" not in arguments:
                command.make_context(arguments[end], arguments[end + 1 :], parent=context).close()
    except click.BadParameter as error:
        # Names and options were parsed before; a file of the reader's need not be here.
        missing_file = error.param is not None and isinstance(error.param.type, click.Path)
        return None if missing_file else error.format_message()
    except click.ClickException as error:
        return error.format_message()
    return None


@cache
def _make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _make_problem(arguments: list[str]) -> str | None:
    makefile = (ROOT / "Makefile").read_text()
    for word in arguments:
        name, is_variable, _ = word.partition("=")
        if is_variable and not re.search(rf"\$\({name}\)|^{name} ", makefile, re.MULTILINE):
            return f"the Makefile does not read {name}"
        if not is_variable and word not in _make_targets():
            return f"the Makefile has no target {word}"
    return None


@cache
def _compose_names() -> tuple[frozenset[str], frozenset[str]]:
    """Services and profiles of compose.yaml with what it includes."""
    top = yaml.safe_load((ROOT / "compose.yaml").read_text())
    files = [top, *(yaml.safe_load((ROOT / name).read_text()) for name in top["include"])]
    services = {name: service for file in files for name, service in file.get("services", {}).items()}
    return frozenset(services), frozenset(
        profile for service in services.values() for profile in service.get("profiles", [])
    )


_COMPOSE_COMMANDS = {"build", "cp", "down", "exec", "logs", "ps", "restart", "rm", "run", "stop", "up"}
_COMPOSE_WITH_SERVICE = {"exec", "logs", "restart", "rm", "run", "stop"}


def _compose_problem(arguments: list[str]) -> str | None:
    if arguments[:1] != ["compose"]:
        return None
    services, profiles = _compose_names()
    rest = arguments[1:]
    while rest[:1] == ["--profile"]:
        if rest[1] not in {*profiles, "*"}:
            return f"Compose has no profile {rest[1]}"
        rest = rest[2:]
    if not rest or rest[0] not in _COMPOSE_COMMANDS:
        return f"docker compose has no command {' '.join(rest[:1])}"
    names = [word for word in rest[1:] if not word.startswith("-")]
    # In `exec` and `run` all after the service belongs to the container.
    names = names[:1] if rest[0] in {"exec", "run"} else names
    if rest[0] in _COMPOSE_WITH_SERVICE:
        return next((f"Compose has no service {name}" for name in names if name not in services), None)
    return None


@cache
def _kubectl_problem_of(arguments: tuple[str, ...]) -> str | None:
    done = subprocess.run([BIN / "kubectl", *arguments, "--help"], capture_output=True, text=True, timeout=30)
    return done.stderr.strip() or "kubectl refused it" if done.returncode else None


def _kubectl_problem(arguments: list[str]) -> str | None:
    """kubectl's own parser; folders of `apply -k`, and files that stand in this repository, must exist."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for option, path in itertools.pairwise(own):
        if option == "-k" and not (ROOT / path / "kustomization.yaml").exists():
            return f"{path} is not a kustomization"
    return None if own[:1] == ["argo"] else _kubectl_problem_of(tuple(own))  # a plugin of Argo's


_AWS_OPTIONS = {"--cli-input-json", "--query", "--output", "--region", "--endpoint-url", "--no-cli-pager"}


@cache
def _operations() -> dict[str, frozenset[str]]:
    """The operations of App Mesh's published model in the form of the AWS CLI, with their options."""
    model = botocore.session.get_session().get_service_model("appmesh")
    inputs = {name: model.operation_model(name).input_shape for name in model.operation_names}
    return {
        xform_name(name, "-"): frozenset(f"--{xform_name(member, '-')}" for member in (shape.members if shape else ()))
        for name, shape in inputs.items()
    }


def _aws_problem(arguments: list[str]) -> str | None:
    if arguments[:1] != ["appmesh"]:
        return None
    operation = arguments[1]
    if operation not in _operations():
        return f"App Mesh has no operation {operation}"
    allowed = _operations()[operation] | _AWS_OPTIONS
    return next(
        (
            f"{operation} has no option {word}"
            for word in arguments[2:]
            if word.startswith("--") and word not in allowed
        ),
        None,
    )


_CHECKS = {
    "aws": _aws_problem,
    "docker": _compose_problem,
    "kubectl": _kubectl_problem,
    "make": _make_problem,
    "shopmesh": _shopmesh_problem,
}
