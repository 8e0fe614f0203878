"""What a service may be called."""

from __future__ import annotations

import ast
import re

import pytest

from shopmesh.new import scaffold
from shopmesh.new.errors import ScaffoldError
from shopmesh.new.names import MAX_NAME_LENGTH, RESERVED, ServiceName, VersionNumber, parse_name, parse_version
from shopmesh.new.templates import Templates


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("product", "products"),
        ("inventory", "inventories"),
        ("survey", "surveys"),
        ("box", "boxes"),
        ("address", "addresses"),
        ("status", "statuses"),
        ("labels", "labels"),
        ("s3", "s3s"),
    ],
)
def test_items_are_asked_for_by_the_plural(name: str, plural: str) -> None:
    """As people write it; a name that is a plural stays."""
    assert plural == ServiceName(name).plural


@pytest.mark.parametrize("name", ["product", "b", "s3", "x" * MAX_NAME_LENGTH])
def test_a_name_is_letters_and_digits(name: str) -> None:
    """One that is a package of Python, a host name and a label at once."""
    assert name == parse_name(name).text


@pytest.mark.parametrize(
    "name",
    ["", "Inventory", "in-ventory", "in_ventory", "2go", "a b", "../up", "café", "x" * (MAX_NAME_LENGTH + 1), "a\n"],
)
def test_another_name_is_told_what_it_becomes(name: str) -> None:
    """With the value as it was given."""
    with pytest.raises(ScaffoldError, match=re.escape(f"{name!r} is not a name for a service")):
        parse_name(name)


@pytest.mark.parametrize(
    "name", ["class", "import", "a", "none", "var", "byte", "flask", "peer", "o", "answer", "document"]
)
def test_words_that_mean_something_else_are_refused(name: str) -> None:
    """Python's, and those that the files of a service use."""
    with pytest.raises(ScaffoldError, match="take another"):
        parse_name(name)


@pytest.mark.parametrize("calls", [(), ("product",)])
def test_every_word_of_the_templates_is_taken(calls: tuple[str, ...]) -> None:
    """A name whose words are something else's in the same file would break the code, or change what it means."""
    name = ServiceName("placeholder")
    own = {name.text, name.title, name.plural, name.plural.upper()}
    made = Templates(scaffold.template_words(name, parse_version("1.0"), "python", calls)).render_folder("python")
    used: set[str] = set()
    for text in (text for path, text in made.items() if path.endswith(".py")):
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Name(id=word) | ast.arg(arg=word) | ast.alias(name=word) | ast.FunctionDef(name=word):
                    used.add(word)
    builtin = {"bytes", "dict", "int", "list", "object", "str", "zip", "all", "self", "annotations"}
    mixed = {word for word in used if "placeholder" in word or "." in word or word.startswith(("test_", "Flask"))}

    assert used - own - builtin - mixed <= RESERVED


@pytest.mark.parametrize(("text", "suffix"), [("1.0", ""), ("2.0", "-v2"), ("1.5", "-v15"), ("10.2", "-v102")])
def test_a_version_names_its_workload(text: str, suffix: str) -> None:
    """As product-v2 and customer-v15 are named."""
    assert (text, suffix) == (str(parse_version(text)), parse_version(text).suffix)


@pytest.mark.parametrize("text", ["2", "2.0.1", "v2.0", "02.0", "2.-1", "latest", ""])
def test_a_version_is_two_numbers(text: str) -> None:
    """GET / answers it as a number of JSON."""
    with pytest.raises(ScaffoldError, match="is not a version"):
        parse_version(text)


def test_versions_are_ordered_by_number() -> None:
    """1.10 is later than 1.9."""
    assert VersionNumber(1, 9) < VersionNumber(1, 10) < VersionNumber(2, 0)
