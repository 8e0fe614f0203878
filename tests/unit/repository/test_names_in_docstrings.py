"""Names of code in docstrings and comments are names of today's code: a rename must not leave the old one behind."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src"
_QUOTED = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)*)(?:\(\))?`")
_WORD = re.compile(r"\w+")

OF_OTHERS = {
    "AlreadyExists",
    "DependsOn",
    "PortMapping",
    "VirtualNodeActive",
    "cluster.upstream_rq_xx",
    "control.sock",
    "product_default",
}
"""Names of Kubernetes, CloudFormation, Envoy, and of files, which look like ours."""


def files() -> list[Path]:
    return [path for path in sorted((SOURCE / "shopmesh").rglob("*.py")) if "templates" not in path.parts]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Of modules, classes, functions and attributes: every string that is a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


@cache
def definitions() -> dict[str, set[str]]:
    """What each module and class defines or imports, by its dotted name and by every end of it (`stream.responses`)."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in files():
        parts = path.relative_to(SOURCE).with_suffix("").parts
        module = parts[:-1] if parts[-1] == "__init__" else parts
        scopes = [(module, set(_names(parsed(path)))), (module[:-1], {module[-1]})]
        classes = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef))
        scopes += [((*module, node.name), set(_names(node))) for node in classes]
        for owner, names in scopes:
            for start in range(len(owner)):
                found[".".join(owner[start:])] |= names
    return dict(found)


def _names(scope: ast.Module | ast.ClassDef) -> Iterator[str]:
    """What a scope defines, and for a class what its methods assign to attributes."""
    for node in ast.walk(scope):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.alias():
                yield node.asname or node.name.rpartition(".")[2]
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()) if isinstance(scope, ast.ClassDef):
                yield node.attr


@cache
def words_in_code() -> set[str]:
    """All names and words of string literals in the package, without docstrings and comments."""
    found: set[str] = set()
    for path in files():
        tree = parsed(path)
        found.update(path.relative_to(SOURCE).with_suffix("").parts)
        texts = {id(one) for one in docstrings(tree)}
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if id(node) not in texts:
                    found.update(_WORD.findall(text))
                case ast.Name():
                    found.add(node.id)
                case ast.Attribute():
                    found.add(node.attr)
                case ast.arg():
                    found.add(node.arg)
                case ast.keyword(arg=str(name)):
                    found.add(name)
                case ast.alias():
                    found.update(node.name.split("."))
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    found.add(node.name)
    return found


def is_stale(name: str) -> bool:
    """Whether that looks like a name of this code and is none."""
    prefix, _, last = name.rpartition(".")
    if prefix in definitions() or prefix.startswith("shopmesh"):
        return last not in definitions().get(prefix, ())
    looks_like_code = "_" in name.strip("_") or re.search("[a-z][A-Z]", name)
    return not prefix and bool(looks_like_code) and name not in words_in_code()


def mentions() -> Iterator[tuple[str, str]]:
    """Every name in backticks, with its place."""
    for path in files():
        where = path.relative_to(ROOT)
        texts = [(text.lineno, str(text.value)) for text in docstrings(parsed(path))]
        texts += [(number, line) for number, line in enumerate(path.read_text().splitlines(), 1) if "# " in line]
        for number, text in texts:
            for name in _QUOTED.findall(text):
                yield f"{where}:{number}", name


def test_names_in_docstrings_and_comments_exist() -> None:
    """`module.symbol`, `CamelCase` and `snake_case` in backticks."""
    stale = [(place, name) for place, name in mentions() if is_stale(name)]

    assert [] == [f"{place}: {name}" for place, name in stale if name not in OF_OTHERS]
    assert OF_OTHERS == {name for _, name in stale}


def test_a_name_that_does_not_exist_is_found() -> None:
    """Of a module, of a class, and alone."""
    names = ["xds.stream.Conversation", "shopmesh.nothing", "SubscriptionState.owed", "OldClass", "old_function"]

    assert names == [name for name in names if is_stale(name)]
    assert not any(map(is_stale, ("xds.stream", "SubscriptionState.resend", "DeltaStream", "spec.anything", "word")))
