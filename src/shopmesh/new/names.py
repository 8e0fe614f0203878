"""What services and versions may be called, and the words that are made of these names.

inventory 2.0 ─► Inventory, inventories, v2_0 (module), inventory-v2 (workload), inventory-v2-vn (virtual node)
"""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass

from shopmesh.new.errors import ScaffoldError

MAX_NAME_LENGTH = 20
"""Letters of a name: what is made of it fits a line of code and a label of DNS."""
FIRST_VERSION = "1.0"

_NAME = re.compile(r"[a-z][a-z0-9]*")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
# What the files of a service call something else by: names whose own words would be these are refused.
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
    """A service's name, and its words."""

    text: str

    @property
    def title(self) -> str:
        """As the service calls itself at `GET /`, and as the type of its items is called."""
        return self.text.title()

    @property
    def plural(self) -> str:
        """The path of its items; a name that seems to be a plural is one."""
        if re.search(r"[^aeiou0-9]y$", self.text):
            return f"{self.text[:-1]}ies"
        if re.search(r"(ss|us|is|x|z|ch|sh)$", self.text):
            return f"{self.text}es"
        return self.text if self.text.endswith("s") else f"{self.text}s"


@dataclass(frozen=True, slots=True, order=True)
class ServiceVersion:
    """`2.0`: two numbers, for `GET /` answers it as a number of JSON."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def module(self) -> str:
        """The module of its code."""
        return "app" if str(self) == FIRST_VERSION else f"v{self.major}_{self.minor}"

    @property
    def suffix(self) -> str:
        """What follows a service's name in that of its workload: `-v2`, `-v15`, nothing for the first."""
        return "" if str(self) == FIRST_VERSION else f"-v{self.major}{self.minor or ''}"


def parse_name(text: str) -> ServiceName:
    """The name, if a service may have it; raises NewError."""
    if not _NAME.fullmatch(text) or len(text) > MAX_NAME_LENGTH:
        raise ScaffoldError(
            f"{text!r} is not a name for a service: take at most {MAX_NAME_LENGTH} lower-case letters and digits, "
            "a letter first, because it becomes a Python package, a host name and a label of Kubernetes"
        )
    name = ServiceName(text)
    if any(map(keyword.iskeyword, (text, name.title, name.plural))) or hasattr(builtins, name.plural):
        raise ScaffoldError(f"{text!r} is a word of Python: take another, such as {text[:13]}service")
    if RESERVED & {name.title, name.plural, name.plural.upper()}:
        raise ScaffoldError(
            f"{text!r} is what something else is called already: take another, such as {text[:13]}service"
        )
    return name


def parse_version(text: str) -> ServiceVersion:
    """The version, if it is of two numbers; raises NewError."""
    found = _VERSION.fullmatch(text)
    if not found:
        raise ScaffoldError(f"{text!r} is no version: take two numbers, such as 2.0 or 1.5")
    return ServiceVersion(int(found[1]), int(found[2]))
