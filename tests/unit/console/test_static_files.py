"""The console's files for the browser: vendored ones are unchanged, own ones are found, small and few in a folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT

STATIC = ROOT / "src" / "shopmesh" / "console" / "static"
VENDOR = STATIC / "vendor"
VENDORED = json.loads((VENDOR / "vendored.json").read_text())
OWN = sorted(
    file for file in STATIC.rglob("*") if file.suffix in {".js", ".css", ".html", ".svg"} and VENDOR not in file.parents
)
MODULES = [file for file in OWN if file.suffix == ".js"]
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)', re.MULTILINE)
FORBIDDEN = re.compile(r'https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bstyle="|\bon\w+="')
MOST_IN_A_FOLDER = 16
LARGEST_FIRST_PAGE, LARGEST_OWN_OF_IT = 80_000, 60_000
"""Bytes that are sent for the first page: all, and those of own files."""
LARGEST_OWN = 74_000
"""Bytes of all own code, compressed by gzip as one text, without comments."""
FIRST_PAGE = ("index.html", "console.css", "icon.svg", "main.js", "pages/mesh/page.js", "pages/mesh/mesh.css")
STATIC_IMPORT = re.compile(
    r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|new URL\("([^"]+)"', re.MULTILINE
)
COMMENT = re.compile(r"^[ ]*(?://[^\n]*|/\*.*?\*/)\n", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("listed", VENDORED, ids=lambda listed: listed["file"])
def test_a_vendored_file_is_as_published(listed: dict[str, str]) -> None:
    """Its content has the checksum of the list, and its licence is beside it."""
    content = (VENDOR / listed["file"]).read_bytes()

    assert listed["sha256"] == hashlib.sha256(content).hexdigest()
    assert "Copyright" in (VENDOR / listed["text"]).read_text()


def test_each_vendored_file_is_listed() -> None:
    files = {str(file.relative_to(VENDOR)) for file in VENDOR.rglob("*") if file.is_file()} - {"vendored.json"}

    assert files == {listed["file"] for listed in VENDORED} | {listed["text"] for listed in VENDORED}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(STATIC)))
def test_what_a_module_imports_is_there(module: Path) -> None:
    """Imports are relative, because the page allows no import map, and each names a file of the console."""
    for found in IMPORT.finditer(module.read_text()):
        asked = found[1] or found[2] or found[3]
        assert asked.startswith("."), asked
        assert (module.parent / asked).resolve().is_file(), asked


def test_each_page_of_the_list_has_its_module_and_styles() -> None:
    pages = re.findall(r'id: "(\w+)".*import\("\./(\w+)/page\.js"\)', (STATIC / "pages" / "index.js").read_text())

    assert 6 == len(pages)
    for name, folder in pages:
        assert name == folder
        assert (STATIC / "pages" / name / f"{name}.css").is_file()


@pytest.mark.parametrize("file", OWN, ids=lambda file: str(file.relative_to(STATIC)))
def test_own_files_name_no_other_address_and_write_no_html(file: Path) -> None:
    """Text reaches the page through htm alone, which escapes it; styles come from the style sheet alone."""
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")

    assert [] == FORBIDDEN.findall(text)


def test_folders_stay_small() -> None:
    folders = {file.parent for file in MODULES}

    assert {} == {str(folder): count for folder in folders if (count := len([*folder.glob("*.js")])) > MOST_IN_A_FOLDER}


def test_the_first_page_stays_small() -> None:
    """What a browser loads until the map is drawn, file by file as it is sent."""
    files = first_page()
    sent = {file: len(gzip.compress(file.read_bytes(), 9)) for file in files}

    assert STATIC / "pages" / "mesh" / "worker.js" in files
    assert STATIC / "pages" / "traffic" / "page.js" not in files
    assert LARGEST_FIRST_PAGE >= sum(sent.values())
    assert LARGEST_OWN_OF_IT >= sum(size for file, size in sent.items() if VENDOR not in file.parents)


def first_page() -> set[Path]:
    """Its files, and all that they import when they are loaded."""
    scripts = re.findall(r'src="static/([^"]+)"', (STATIC / "index.html").read_text())
    found: set[Path] = set()
    left = [STATIC / name for name in (*FIRST_PAGE, *scripts)]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            imports = STATIC_IMPORT.finditer(file.read_text()) if file in MODULES else ()
            left += [(file.parent / (one[1] or one[2] or one[3])).resolve() for one in imports]
    return found


def test_own_files_stay_small() -> None:
    """Together, as one archive would hold them; what explains them does not count."""
    code = "".join(COMMENT.sub("", file.read_text()) for file in OWN)

    assert LARGEST_OWN >= len(gzip.compress(code.encode(), 9))
