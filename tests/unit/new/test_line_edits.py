"""One line in each list, and every other byte as it was."""

from __future__ import annotations

import pytest

from shopmesh.new.errors import ScaffoldError
from shopmesh.new.line_edits import LineList

LIST = LineList("some/{name}.yaml", "resources:", "  - ", "  - {workload}.yaml", "  - {workload}.yaml\n")
TEXT = "# resources: of all\nresources:\n  - order.yaml\n  - product.yaml\n  - product-v9.yaml\n\n# the end\n  - none\n"


def words(workload: str) -> dict[str, object]:
    return {"name": "product", "workload": workload}


@pytest.mark.parametrize(
    ("workload", "after"),
    [
        ("apple", "resources:"),
        ("pear", "  - order.yaml"),
        ("product-v2", "  - product.yaml"),
        ("product-v10", "  - product-v9.yaml"),
        ("zebra", "  - product-v9.yaml"),
    ],
)
def test_a_line_comes_to_its_place_and_goes(workload: str, after: str) -> None:
    """By name, numbers by size; what is above and below stays."""
    made = LIST.add_line(TEXT, words(workload))

    assert f"{after}\n  - {workload}.yaml\n" in made
    assert len(TEXT.splitlines()) + 1 == len(made.splitlines())
    assert TEXT == LIST.remove_lines(made, words(workload))


def test_an_empty_list_takes_a_line() -> None:
    """At the end of a file as well."""
    assert "resources:\n  - order.yaml\n" == LIST.add_line("resources:\n", words("order"))


def test_a_line_that_is_there_is_told() -> None:
    """With the list and its file."""
    with pytest.raises(ScaffoldError, match=r"'resources:' in some/product\.yaml already has a line of order"):
        LIST.add_line(TEXT, words("order"))


def test_a_list_that_is_not_there_is_told() -> None:
    """Somebody has written that file anew."""
    with pytest.raises(ScaffoldError, match=r"'resources:' in some/product\.yaml is missing"):
        LIST.add_line("resources: [a]\n", words("order"))


def test_what_has_no_line_leaves_the_text_alone() -> None:
    """A service may be in fewer lists than others."""
    assert TEXT == LIST.remove_lines(TEXT, words("pear"))
