"""Makes a project of the user's own: the demo's files under its name, and what a project has around them.

    the demo's files ─► without lists of what is left out ─► renamed ─┐
    templates/project ─────────────────────────────────────────────────┴─► FileTransaction

`new` and `remove` work in it as in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from shopmesh.files.demo import LEFT_OUT, demo_files
from shopmesh.new.errors import ScaffoldError
from shopmesh.new.file_transaction import FileTransaction
from shopmesh.new.names import parse_name
from shopmesh.new.templates import Templates

TOOL_VERSIONS = {
    "import_linter": "2.16",
    "pytest": "9.2.0",
    "pyyaml": "6.0.3",
    "requests": "2.34.2",
    "ruff": "0.17.6",
}
"""The tools of a project's tests, as in requirements/ of the repository."""
_ALLOWED = {".git"}
"""What may be in the folder already."""
_MESH_NAMES = (
    ("mesh/mesh.yaml", r"(awsName: )shopmesh$"),
    ("compose/parts.yaml", r"(      MESH: )shopmesh$"),
    ("k8s/components/sidecar/sidecar.yaml", r"(- name: MESH\n +value: )shopmesh$"),
    ("compose.yaml", r"(^name: )shopmesh$"),
)
"""The lines that hold the name of the mesh, or of the Compose project."""


def create_project(folder: Path, name: str, demo: Path, version: str) -> FileTransaction:
    """The files of the project `name`, for the empty `folder`; `version` is that of shopmesh which it pins.

    Raises ScaffoldError for a name that cannot be one, or a folder with something in it.
    """
    parse_name(name)
    if folder.exists() and not folder.is_dir():
        raise ScaffoldError(f"{folder} is a file: name another folder")
    if folder.is_dir() and (found := sorted({one.name for one in folder.iterdir()} - _ALLOWED)):
        raise ScaffoldError(f"{folder} is not empty, it has {found[0]}: name a folder that is empty or not there yet")
    files = {path: (demo / path).read_text(encoding="utf-8") for path in demo_files(demo)}
    words = {"name": name, "shopmesh": version, **TOOL_VERSIONS}
    return FileTransaction(created=_rename(_without_lists(files), name) | Templates(words).render_folder("project"))


def _without_lists(files: Mapping[str, str]) -> dict[str, str]:
    """The files without the lines that include what a project does not have."""
    found = dict(files)
    included = "|".join(re.escape(path) for path in LEFT_OUT)
    found["compose.yaml"] = re.sub(rf"^  - (?:{included})\b.*\n", "", found["compose.yaml"], flags=re.MULTILINE)
    return found


def _rename(files: Mapping[str, str], name: str) -> dict[str, str]:
    """The files with the project's name for the mesh and for the images of its services."""
    services = sorted({path.split("/")[1] for path in files if re.fullmatch(r"services/[^/]+/app\.py", path)})
    image = re.compile(rf"\bshopmesh/(?=(?:{'|'.join(services)})\b)")
    found = {path: image.sub(f"{name}/", text) for path, text in files.items()}
    for path, pattern in _MESH_NAMES:
        found[path], count = re.subn(pattern, rf"\g<1>{name}", found[path], flags=re.MULTILINE)
        if not count:
            raise ScaffoldError(f"the demo's {path} does not name its mesh as expected: reinstall shopmesh")
    return found
