"""Builds the documentation as a site: `python -m website.build`.

    the repository's pages, and the files that they link to ─► source/, in the same places ─► zensical ─► site/

The links between pages are relative, so they hold in the repository and in the site. A folder that is linked to has a
page in the site, its README or a list of its files.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Path(__file__).with_name("zensical.toml")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_SECONDS = 300


def pages() -> list[Path]:
    """The repository's pages in Markdown, relative to its root; tests and templates have none."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout.split("\0")
    return sorted(Path(name) for name in listed if name and (ROOT / name).is_file())


def linked(page: Path) -> set[Path]:
    """The files and folders of the repository that a page links to, relative to its root."""
    found = set()
    for target in _LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        path = (ROOT / page.parent / target).resolve()
        if "://" not in target and path.exists() and path.is_relative_to(ROOT):
            found.add(path.relative_to(ROOT))
    return found


def folder_page(folder: Path) -> str:
    """A page for a folder that others link to and that has no README: what is in it, pages as links."""
    lines = [f"# {folder.as_posix()}", ""]
    for path in sorted((ROOT / folder).iterdir()):
        if path.suffix == ".md":
            title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
            lines.append(f"- [{title}]({path.name})")
        elif not path.name.startswith((".", "__")):
            lines.append(f"- `{path.name}{'/' if path.is_dir() else ''}`")
    return "\n".join([*lines, ""])


def to_folder_pages(page: Path) -> str:
    """The text of a page, whose links to folders lead to the pages of those."""

    def replaced(found: re.Match[str]) -> str:
        target = found[1]
        if "://" in target or not (ROOT / page.parent / target).is_dir():
            return found[0]
        return found[0].replace(target, f"{target.rstrip('/')}/README.md", 1)

    return _LINK.sub(replaced, (ROOT / page).read_text(encoding="utf-8"))


def stage(source: Path) -> None:
    """Writes all pages, what they link to, and pages for folders, in the places that they have in the repository."""
    there = pages()
    targets = {target for page in there for target in linked(page)}
    for file in {one for one in targets if (ROOT / one).is_file()} - {*there}:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, source / file)
    texts = {page: to_folder_pages(page) for page in there}
    folders = {one for one in targets if (ROOT / one).is_dir() and one / "README.md" not in texts}
    texts |= {folder / "README.md": folder_page(folder) for folder in folders}
    for page, text in texts.items():
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        (source / page).write_text(text, encoding="utf-8")


def build(target: Path) -> None:
    """Writes the site into `target`, which is replaced; raises CalledProcessError for a link that leads nowhere."""
    with tempfile.TemporaryDirectory(prefix="shopmesh-site-") as folder:
        project = Path(folder)
        shutil.copy2(CONFIG, project)
        stage(project / "source")
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        subprocess.run(command, cwd=project, check=True, timeout=_SECONDS)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(project / "site", target)


if __name__ == "__main__":
    build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site"))
