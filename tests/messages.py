"""docs/messages.md, every sentence that a user can see, from the source: `python -m tests.messages` writes it.

Read are the texts of exceptions, log lines, output and options' help in `src/shopmesh`, without running it. A value
that is filled in stands as {name}; findings have a table of their own in docs/doctor.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "messages.md"
_SOURCE = ROOT / "src" / "shopmesh"
_LOGS = ("debug", "info", "warning", "error", "exception", "critical")
_OUTPUT = ("echo", "print", "secho", "confirm", "say")
_HEAD = """# Messages

Every sentence that shopmesh can show: errors, log lines, output and help, in the order of the source, so that they
can be read side by side. Made by `make messages`; a value that is filled in stands in braces.
"""


class Message(NamedTuple):
    """One sentence: `kind` is error, log, output or help."""

    kind: str
    text: str


def page() -> str:
    """The page as it should be."""
    parts = [_HEAD]
    for path in sorted(_SOURCE.rglob("*.py")):
        if "templates" in path.parts:
            continue
        found = list(dict.fromkeys(messages(ast.parse(path.read_text()))))
        if found:
            parts.append(f"\n## {path.relative_to(_SOURCE).as_posix()}\n")
            parts += [f"- *{one.kind}*: {_escaped(one.text)}" for one in found]
    return "\n".join(parts) + "\n"


def messages(tree: ast.AST) -> Iterator[Message]:
    """Those of one module, in its order."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Call))
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from _of_arguments("error", node.exc)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)


def _of_call(call: ast.Call) -> Iterator[Message]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _LOGS and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "log":
        yield from _of_arguments("log", call)
    elif name in _OUTPUT:
        yield from _of_arguments("output", call)
    elif name.endswith(("Error", "Exception")) or name in ("StreamError", "BadParameter"):
        yield from _of_arguments("error", call)
    for keyword in call.keywords:
        if keyword.arg == "help" and (text := _text(keyword.value)):
            yield Message("help", text)


def _of_arguments(kind: str, call: ast.Call) -> Iterator[Message]:
    for argument in (*call.args, *(one.value for one in call.keywords)):
        text = _text(argument)
        if text is not None and _is_sentence(text):
            yield Message(kind, text)


def _text(node: ast.expr) -> str | None:
    """The text of a literal, an f-string, or both joined; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    return None


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "{" + ast.unparse(part.value) + "}" if isinstance(part, ast.FormattedValue) else ""


def _is_sentence(text: str) -> bool:
    """Several words: a name or a format is not something to read."""
    return len(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{[^}]*\}", "", text))) >= 2


def _escaped(text: str) -> str:
    return " ".join(text.replace("\b", "").split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page())
