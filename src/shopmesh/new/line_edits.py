"""Lists in text files in which each service, or each version, has one line.

Lines are edited as text and files are never rewritten, so that comments, order and quotes stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shopmesh.new.errors import ScaffoldError


@dataclass(frozen=True, slots=True)
class LineList:
    """Sorted lines that begin with `item`, directly below `heading`, in the file `path` of the project.

    `line` is the template of a new line; `owner` is the prefix of the lines of a service or version. `path`, `line` and
    `owner` are formatted with the words of `template_words`.
    """

    path: str
    heading: str
    item: str
    line: str
    owner: str

    def add_line(self, text: str, words: Mapping[str, object]) -> str:
        """Inserts the line in sorted order. Raises ScaffoldError if the list is missing or has the line already."""
        before, lines, after = self._parts(text, words)
        line = self.line.format(**words)
        if self._lines_of(lines, words):
            raise ScaffoldError(f"{self._describe(words)} already has a line of {words['workload']}: remove it")
        place = next((at for at, other in enumerate(lines) if _order(other) > _order(line)), len(lines))
        return "".join([*before, *lines[:place], f"{line}\n", *lines[place:], *after])

    def remove_lines(self, text: str, words: Mapping[str, object]) -> str:
        """Removes the lines of that service or version, if there are any."""
        before, lines, after = self._parts(text, words)
        owned = self._lines_of(lines, words)
        return "".join([*before, *(line for line in lines if line not in owned), *after])

    def file_path(self, words: Mapping[str, object]) -> str:
        """The path of the file."""
        return self.path.format(**words)

    def _describe(self, words: Mapping[str, object]) -> str:
        return f"the list below {self.heading.splitlines()[-1]!r} in {self.file_path(words)}"

    def _lines_of(self, lines: list[str], words: Mapping[str, object]) -> list[str]:
        return [line for line in lines if line.startswith(self.owner.format(**words))]

    def _parts(self, text: str, words: Mapping[str, object]) -> tuple[list[str], list[str], list[str]]:
        """Splits the text into the part above the list, its lines, and the part below."""
        above, heading, below = f"\n{text}".partition(f"\n{self.heading}\n")
        if not heading:
            raise ScaffoldError(f"{self._describe(words)} is missing: restore that line, with its items below it")
        lines = below.splitlines(keepends=True)
        end = next((at for at, line in enumerate(lines) if not line.startswith(self.item)), len(lines))
        return [(above + heading)[1:]], lines[:end], lines[end:]


def _order(line: str) -> list[tuple[int, str]]:
    """The sort key: 1.10 comes after 1.9, and inventory-v2.yaml after inventory.yaml."""
    parts = re.split(r"(\d+)", line.strip().replace(".yaml", ""))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


_SCRAPE_TARGET = '- {{labels: {{service: {name}, version: "{version}", virtual_node: {node}}}, targets: [{targets}]}}'

SERVICE_LISTS = (
    LineList("compose.yaml", "include:", "  - compose/", "  - compose/{name}.yaml", "  - compose/{name}.yaml\n"),
    LineList(
        "mesh/Kustomization",
        "      # The services, one line each.",
        "      - ",
        "      - {name}.yaml",
        "      - {name}.yaml\n",
    ),
    LineList("k8s/base/kustomization.yaml", "resources:", "  - ", "  - {name}", "  - {name}\n"),
)
"""Lists with a line for each service."""

PACKAGE_LISTS = (
    LineList(
        "pyproject.toml",
        'name = "The services share the chassis and nothing else"\ntype = "independence"\nmodules = [',
        '  "services.',
        '  "services.{name}",',
        '  "services.{name}"',
    ),
)
"""Lists with a line for each service in Python."""

VERSION_LISTS = (
    LineList(
        "compose/observability/workloads.yml",
        "# Where each version's sidecars are scraped. The second replicas are down unless --profile replicas.",
        "- {labels: {service: ",
        _SCRAPE_TARGET,
        "- {{labels: {{service: {name}, {of_version}",
    ),
    LineList(
        "services/README.md",
        "| service | version | file | what it answers |\n|---|---|---|---|",
        "| ",
        "| {name} | {version} | `{name}/{file}` | {answers} |",
        "| {name} {of_version_cell}",
    ),
)
"""Lists with a line for each version."""

LATER_VERSION_LISTS = (
    LineList(
        "k8s/base/{name}/kustomization.yaml", "resources:", "  - ", "  - {workload}.yaml", "  - {workload}.yaml\n"
    ),
)
"""Lists of the service itself, with a line for each version after the first."""
