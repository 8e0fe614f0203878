"""Renders the templates: folders that mirror the project's; file names are templates too.

service/  every service            python/        a service in Python         node/        one in JavaScript
version/  every version of one     python-later/  a later version of it       node-later/  a later version of it
parts/    text that is inserted into existing files
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".jinja"
_LINE = 120
"""The longest line of code, as in ruff's configuration in pyproject.toml."""


class Templates:
    """Renders with `words`; an unknown word is an error."""

    def __init__(self, words: Mapping[str, object]) -> None:
        # The output is not HTML.
        self._environment = Environment(  # noqa: S701
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["format_collection"] = format_collection
        self._environment.globals.update(words)

    def render_folder(self, name: str) -> dict[str, str]:
        """Renders the templates of a folder: path → text."""
        made = {}
        for file in sorted((TEMPLATES / name).rglob(f"*{SUFFIX}")):
            path = file.relative_to(TEMPLATES / name).as_posix().removesuffix(SUFFIX)
            made[self._environment.from_string(path).render()] = self.render(file.relative_to(TEMPLATES).as_posix())
        return made

    def render(self, name: str) -> str:
        """Renders one template."""
        return self._environment.get_template(name).render()


def format_collection(items: Sequence[str], before: str, after: str) -> str:
    """Formats a collection as ruff does: in one line, or one item per line where that is too long."""
    line = f"{before}{', '.join(items)}{after}"
    if len(line) <= _LINE:
        return line
    indent = " " * (len(before) - len(before.lstrip()))
    return "\n".join([before, *(f"{indent}    {item}," for item in items), f"{indent}{after}"])
