"""Valid names of services and versions, and the words that are derived from them.

inventory 2.0 ─► Inventory, inventories, v2_0 (module), inventory-v2 (workload), inventory-v2-vn (virtual node)
"""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass

from shopmesh.new.errors import ScaffoldError

MAX_NAME_LENGTH = 20
"""The longest name, in letters: what is derived from it fits a line of code and a DNS label."""
FIRST_VERSION = "1.0"

_NAME = re.compile(r"[a-z][a-z0-9]*")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
# Identifiers in the files of a service; a service whose derived words are among them is rejected.
RESERVED = frozenset(
    {
        *("Config", "Flask", "Mapping", "NAME", "PEERS", "Peers", "Response", "VERSION"),
        *(
            "abort",
            "answer",
            "answers",
            "app",
            "config",
            "create_app",
            "document",
            "documents",
            "each",
            "everything",
            "home",
        ),
        *("json_answer", "line", "new_service", "number", "one", "os", "parts", "path", "peer", "peers", "self"),
        *("serve", "services", "text_answer", "to_json", "version", "webinar_line"),
        *(
            "PeerAnswer",
            "ask",
            "asked",
            "client",
            "first",
            "found",
            "joined",
            "monkeypatch",
            "others",
            "own",
            "paths",
            "pytest",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class ServiceName:
    """The name of a service, and the words that are derived from it."""

    text: str

    @property
    def title(self) -> str:
        """The name in the answer of `GET /`, and the type of the service's items."""
        return self.text.title()

    @property
    def plural(self) -> str:
        """The path of its items; a name that ends like a plural is used as it is."""
        if re.search(r"[^aeiou0-9]y$", self.text):
            return f"{self.text[:-1]}ies"
        if re.search(r"(ss|us|is|x|z|ch|sh)$", self.text):
            return f"{self.text}es"
        return self.text if self.text.endswith("s") else f"{self.text}s"


@dataclass(frozen=True, slots=True, order=True)
class VersionNumber:
    """`2.0`: two numbers, because `GET /` returns the version as a JSON number."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def module(self) -> str:
        """The name of its Python or JavaScript module."""
        return "app" if str(self) == FIRST_VERSION else f"v{self.major}_{self.minor}"

    @property
    def suffix(self) -> str:
        """The suffix of its workload's name: `-v2`, `-v15`, empty for the first version."""
        return "" if str(self) == FIRST_VERSION else f"-v{self.major}{self.minor or ''}"


def parse_name(text: str) -> ServiceName:
    """Validates the name of a service; raises ScaffoldError."""
    if not _NAME.fullmatch(text) or len(text) > MAX_NAME_LENGTH:
        raise ScaffoldError(
            f"{text!r} is not a name for a service: take at most {MAX_NAME_LENGTH} lower-case letters and digits, "
            "a letter first, because it becomes a Python package, a host name and a label of Kubernetes"
        )
    name = ServiceName(text)
    if any(map(keyword.iskeyword, (text, name.title, name.plural))) or hasattr(builtins, name.plural):
        raise ScaffoldError(f"{text!r} is a reserved word of Python: take another, such as {text[:13]}service")
    if RESERVED & {name.title, name.plural, name.plural.upper()}:
        raise ScaffoldError(f"{text!r} is the name of something else already: take another, such as {text[:13]}service")
    return name


def parse_version(text: str) -> VersionNumber:
    """Parses a version of two numbers; raises ScaffoldError."""
    found = _VERSION.fullmatch(text)
    if not found:
        raise ScaffoldError(f"{text!r} is not a version: take two numbers, such as 2.0 or 1.5")
    return VersionNumber(int(found[1]), int(found[2]))
