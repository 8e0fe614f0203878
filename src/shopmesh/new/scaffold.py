"""Plans the file changes that add or remove a service or a version; reads files and writes none."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from shopmesh.appmesh.store import Key
from shopmesh.documents import DeclaredResource
from shopmesh.documents.gateway_api import gateway_api
from shopmesh.new import yaml_edits
from shopmesh.new.errors import ScaffoldError
from shopmesh.new.file_transaction import FileTransaction
from shopmesh.new.line_edits import (
    LATER_VERSION_LISTS,
    PACKAGE_LISTS,
    SERVICE_LISTS,
    VERSION_LISTS,
    LineList,
)
from shopmesh.new.names import FIRST_VERSION, ServiceName, VersionNumber, parse_name, parse_version
from shopmesh.new.project import Clone, describe, find_references
from shopmesh.new.templates import Templates
from shopmesh.new.way_in import set_way_in, ways_in

LANGUAGES = ("python", "node")
_SUFFIXES = {"python": ".py", "node": ".mjs"}
_ROUTES, _MESH = "k8s/overlays/gateway-api/routes.yaml", "istio"
_ITEMS = (1, 2, 3)
"""The item numbers of a new service; each refers to its peers' items of the same number."""


def add_service(
    project: Clone, text: str, calls: Sequence[str] = (), language: str = "python", way_in: bool = False
) -> FileTransaction:
    """Adds a service with its first version, as the way in if asked.

    Raises ScaffoldError for an invalid name or an unknown peer.
    """
    name = parse_name(text)
    there = project.services()
    for peer in calls:
        if peer not in there:
            raise ScaffoldError(f"there is no service {peer!r} to call; there are {', '.join(there) or 'none'}")
    called = tuple(dict.fromkeys(calls))
    words = template_words(name, parse_version(FIRST_VERSION), language, called, project.image_folder())
    templates = Templates(words)
    made = templates.render_folder("service") | templates.render_folder("version") | templates.render_folder(language)
    _refuse_taken(project, name, made)
    changes = FileTransaction(created=made)
    for one in (*SERVICE_LISTS, *(PACKAGE_LISTS if language == "python" else ()), *VERSION_LISTS):
        _add_line(project, changes, one, words)
    if way_in:
        set_way_in(project, changes, text)
    _write_routes(project, changes)
    return changes


def choose_way_in(project: Clone, text: str) -> FileTransaction:
    """Makes an existing service the way in; no changes if all files say so already."""
    changes = FileTransaction()
    set_way_in(project, changes, _existing_service(project, text).text)
    return changes


def add_version(project: Clone, text: str, number: str) -> FileTransaction:
    """Adds a later version of a service. Raises ScaffoldError if the service is missing or the version is not newer."""
    name, wanted = _existing_service(project, text), parse_version(number)
    language = _language(project, name)
    there = _versions(project, name, language)
    if wanted in there:
        raise ScaffoldError(f"{text} {wanted} already exists: services/{text}/{wanted.module}{_SUFFIXES[language]}")
    if wanted < max(there):
        raise ScaffoldError(
            f"{text} {wanted} would be older than the existing {text} {max(there)}: take a later number"
        )
    if same := [other for other in there if other.suffix == wanted.suffix]:
        raise ScaffoldError(
            f"{text} {wanted} would have the workload {text}{wanted.suffix}, as {same[0]} has: take another number"
        )
    words = template_words(name, wanted, language, _backends(project, name), project.image_folder())
    words["extended"] = _extended_constant(project, name) if language == "python" else ""
    templates = Templates(words)
    made = templates.render_folder("version") | templates.render_folder(f"{language}-later")
    _refuse_existing(project, made)
    mesh, compose = f"mesh/{name.text}.yaml", f"compose/{name.text}.yaml"
    node, target = templates.render("parts/virtual-node.yaml.jinja"), templates.render("parts/target.yaml.jinja")
    containers = templates.render("parts/version.yaml.jinja")
    changes = FileTransaction(
        created=made,
        edited={
            mesh: yaml_edits.add_version(mesh, project.read(mesh), node, target),
            compose: yaml_edits.add_containers(compose, project.read(compose), containers, f"  {name.text}-2-net:\n"),
        },
    )
    for one in (*VERSION_LISTS, *LATER_VERSION_LISTS):
        _add_line(project, changes, one, words)
    _write_routes(project, changes)
    return changes


def remove_services(project: Clone, texts: Collection[str]) -> FileTransaction:
    """Removes services with everything that `add_service` creates. Raises ScaffoldError if another one needs them."""
    changes = FileTransaction()
    names = [_existing_service(project, text) for text in texts]
    _refuse_used(project, [f"mesh/{name.text}.yaml" for name in names])
    for name in names:
        text, language = name.text, _language(project, name)
        folders = [f"services/{text}", f"mesh/{text}.yaml", f"compose/{text}.yaml", f"k8s/base/{text}"]
        tests = [path for folder in ("unit", "contract") for path in _tests(project, folder, text)]
        changes.removed += [path for path in (*folders, *tests) if project.has(path)]
        words = template_words(name, parse_version(FIRST_VERSION), language) | {"of_version": "", "of_version_cell": ""}
        for one in (*SERVICE_LISTS, *PACKAGE_LISTS, *VERSION_LISTS):
            _remove_lines(project, changes, one, words)
    if set(ways_in(project)) & set(texts):
        set_way_in(project, changes, None)
    _write_routes(project, changes)
    return changes


def remove_version(project: Clone, text: str, number: str) -> FileTransaction:
    """Removes a later version. Raises ScaffoldError if it has a weight, or is the first version."""
    name, gone = _existing_service(project, text), parse_version(number)
    language = _language(project, name)
    module = f"services/{text}/{gone.module}{_SUFFIXES[language]}"
    if gone.module == "app":
        raise ScaffoldError(
            f"{text} {gone} is the base of later versions: `shopmesh remove {text}` removes the whole service"
        )
    if not project.has(module):
        raise ScaffoldError(f"there is no {text} {gone}: no {module}")
    words = template_words(name, gone, language)
    workload = str(words["workload"])
    mesh, compose = f"mesh/{text}.yaml", f"compose/{text}.yaml"
    edited = {
        mesh: yaml_edits.remove_version(mesh, project.read(mesh), workload),
        compose: yaml_edits.remove_containers(compose, project.read(compose), workload),
    }
    _refuse_used(project, [mesh], workload)
    own = [module, f"k8s/base/{text}/{workload}.yaml", f"tests/unit/services/test_{text}_{gone.module}.py"]
    changes = FileTransaction(edited=edited, removed=[path for path in own if project.has(path)])
    for one in (*VERSION_LISTS, *LATER_VERSION_LISTS):
        _remove_lines(project, changes, one, words)
    _write_routes(project, changes)
    return changes


def leaving_resources(project: Clone, changes: FileTransaction) -> list[DeclaredResource]:
    """The resources that mesh/ declares before the changes and not after them."""
    after = {resource.key for resource in project.resources(changes.created | changes.edited, changes.removed)}
    return [resource for resource in project.resources() if resource.key not in after]


def template_words(
    name: ServiceName,
    version: VersionNumber,
    language: str,
    calls: tuple[str, ...] = (),
    images: str = "shopmesh",
) -> dict[str, object]:
    """The words for templates and line lists."""
    workload = f"{name.text}{version.suffix}"
    targets = [f"{workload}-net:15090", *([f"{name.text}-2-net:15090"] if str(version) == FIRST_VERSION else [])]
    joined = f" (joined with what {' and '.join(calls)} know{'s' if len(calls) == 1 else ''})" if calls else ""
    return {
        "name": name.text,
        "title": name.title,
        "plural": name.plural,
        "constant": name.plural.upper(),
        "version": str(version),
        "first": FIRST_VERSION,
        "module": version.module,
        "file": f"{version.module}{_SUFFIXES[language]}",
        "workload": workload,
        "node": f"{workload}-vn",
        "language": language,
        "images": images,
        "calls": calls,
        "names": [f'"{peer}"' for peer in calls],
        "peers": [f'"{peer}": "/{ServiceName(peer).plural}"' for peer in calls],
        "numbers": {number: [f'"{peer}": {number}' for peer in calls] for number in _ITEMS},
        "paths": [f'{peer}: "/{ServiceName(peer).plural}"' for peer in calls],
        "fields": {number: [f"{peer}: {number}" for peer in calls] for number in _ITEMS},
        "targets": ", ".join(f'"{target}"' for target in targets),
        "answers": f"`GET /{name.plural}`, `/{name.plural}/<id>`{joined}"
        if str(version) == FIRST_VERSION
        else "the same, with an edition",
        "of_version": f'version: "{version}"',
        "of_version_cell": f"| {version} |",
    }


def _write_routes(project: Clone, changes: FileTransaction) -> None:
    """Updates the overlay for other meshes: the output of `shopmesh export` for the changed mesh."""
    if project.has(_ROUTES):
        changes.edited[_ROUTES] = gateway_api(
            project.resources(changes.created | changes.edited, changes.removed), _MESH
        ).text()


def _add_line(project: Clone, changes: FileTransaction, one: LineList, words: dict[str, object]) -> None:
    path = one.file_path(words)
    changes.edited[path] = one.add_line(changes.edited.get(path) or project.read(path), words)


def _remove_lines(project: Clone, changes: FileTransaction, one: LineList, words: dict[str, object]) -> None:
    path = one.file_path(words)
    before = changes.edited.get(path) or project.read(path)
    after = one.remove_lines(before, words)
    if after != before:
        changes.edited[path] = after


def _existing_service(project: Clone, text: str) -> ServiceName:
    there = project.services()
    if text not in there:
        raise ScaffoldError(f"there is no service {text!r}; there are {', '.join(there) or 'none'}")
    return ServiceName(text)


def _language(project: Clone, name: ServiceName) -> str:
    return "python" if project.has(f"services/{name.text}/app.py") else "node"


def _versions(project: Clone, name: ServiceName, language: str) -> list[VersionNumber]:
    """The versions of a service that have code."""
    files = (project.root / "services" / name.text).glob(f"v*_*{_SUFFIXES[language]}")
    return [parse_version(FIRST_VERSION), *(parse_version(file.stem[1:].replace("_", ".")) for file in files)]


def _backends(project: Clone, name: ServiceName) -> tuple[str, ...]:
    """The peers that a service calls, by the backends of its first node's manifest."""
    for resource in project.resources():
        document = resource.source.value if resource.source else {}
        if resource.key.kind == "virtualNode" and document.get("metadata", {}).get("name") == name.text:
            named = (
                one.get("virtualService", {}).get("virtualServiceRef", {})
                for one in document["spec"].get("backends", ())
            )
            return tuple(str(reference["name"]) for reference in named if "name" in reference)
    return ()


def _extended_constant(project: Clone, name: ServiceName) -> str:
    """The name of the constant that the first version serves and a later one extends."""
    path = f"services/{name.text}/app.py"
    for node in ast.walk(ast.parse(project.read(path))):
        match node:
            case ast.Return(
                ast.Call(ast.Name("serve"), [ast.Name(served), ast.Name("VERSION"), ast.Name("config")], [])
            ):
                return served
    raise ScaffoldError(
        f"{path} has no `return serve(…, VERSION, config)`, which a later version extends: "
        "write it as in services/product/app.py"
    )


def _tests(project: Clone, tier: str, name: str) -> list[str]:
    folder = Path("tests") / tier / "services"
    found = sorted((project.root / folder).glob(f"test_{name}*.py"))
    return [(folder / file.name).as_posix() for file in found if re.fullmatch(rf"test_{name}(_v\d+_\d+)?", file.stem)]


def _refuse_taken(project: Clone, name: ServiceName, made: Collection[str]) -> None:
    _refuse_existing(project, (f"services/{name.text}", f"services/{name.text}.py", f"k8s/base/{name.text}", *made))
    if re.search(rf"^  {name.text}(-net|-sidecar)?:", project.compose_text(), re.MULTILINE):
        raise ScaffoldError(f"{name.text!r} is already the name of a container in compose/: take another")


def _refuse_existing(project: Clone, paths: Collection[str]) -> None:
    if there := [path for path in paths if project.has(path)]:
        raise ScaffoldError(f"{there[0]} already exists: take another name, or `shopmesh remove` its service first")


def _refuse_used(project: Clone, files: Collection[str], workload: str | None = None) -> None:
    """Raises ScaffoldError if other files refer to resources of these files, or to that one workload's node."""
    resources = project.resources()
    leaving: set[Key] = set()
    for resource in resources:
        named = resource.source.value.get("metadata", {}).get("name") if resource.source else None
        if resource.source and resource.source.file in files and (workload is None or named == workload):
            leaving.add(resource.key)
    found = [f"{describe(user)} needs {key.name}" for user, key in find_references(resources, leaving, files)]
    if found:
        raise ScaffoldError(
            f"{'; '.join(dict.fromkeys(found))}: remove it as well, or remove the reference from its file first"
        )
