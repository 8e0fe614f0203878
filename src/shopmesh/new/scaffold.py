"""What changes when a service, or a version of one, comes or goes: worked out from files, before any is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from shopmesh.appmesh.store import Key
from shopmesh.documents.gateway_api import gateway_api
from shopmesh.new import yaml_edits
from shopmesh.new.errors import NewError
from shopmesh.new.file_transaction import Changes
from shopmesh.new.line_edits import OF_LATER_VERSIONS, OF_PACKAGES, OF_SERVICES, OF_VERSIONS, PATCH, List
from shopmesh.new.names import FIRST, Name, Version, name_of, version_of
from shopmesh.new.project import Clone, said, users
from shopmesh.new.templates import Templates

LANGUAGES = ("python", "node")
_SUFFIXES = {"python": ".py", "node": ".mjs"}
_ROUTES, _MESH = "k8s/overlays/gateway-api/routes.yaml", "istio"
_REGISTRY = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
"""The example's in k8s/overlays/eks."""
_ITEMS = (1, 2, 3)
"""Of a new service; each refers to its peers' items of the same number."""


def service(clone: Clone, text: str, calls: Sequence[str] = (), language: str = "python") -> Changes:
    """A new service with its first version. Raises NewError for a name or a peer that cannot be."""
    name = name_of(text)
    there = clone.services()
    for peer in calls:
        if peer not in there:
            raise NewError(f"there is no service {peer!r} to call; there are {', '.join(there) or 'none'}")
    words = words_of(name, version_of(FIRST), language, tuple(dict.fromkeys(calls)))
    templates = Templates(words)
    made = templates.folder("service") | templates.folder("version") | templates.folder(language)
    _refuse_taken(clone, name, made)
    changes = Changes(made=made)
    for one in (*OF_SERVICES, *(OF_PACKAGES if language == "python" else ()), *OF_VERSIONS):
        _list(clone, changes, one, words)
    _write_routes(clone, changes)
    return changes


def version(clone: Clone, text: str, number: str) -> Changes:
    """A later version of a service that is there. Raises NewError when there is no such service, or such a version."""
    name, wanted = _known(clone, text), version_of(number)
    language = _language(clone, name)
    there = _versions(clone, name, language)
    if wanted in there:
        raise NewError(f"there is a {text} {wanted} already: services/{text}/{wanted.module}{_SUFFIXES[language]}")
    if wanted < max(there):
        raise NewError(f"{text} {wanted} would be older than {text} {max(there)}, which is there: take a later number")
    if same := [other for other in there if other.suffix == wanted.suffix]:
        raise NewError(
            f"{text} {wanted} would have the workload {text}{wanted.suffix}, as {same[0]} has: take another number"
        )
    words = words_of(name, wanted, language, _backends(clone, name))
    words["extended"] = _extended(clone, name) if language == "python" else ""
    templates = Templates(words)
    made = templates.folder("version") | templates.folder(f"{language}-later")
    _refuse_there(clone, made)
    mesh, compose = f"mesh/{name.text}.yaml", f"compose/{name.text}.yaml"
    node, target = templates.one("parts/virtual-node.yaml.jinja"), templates.one("parts/target.yaml.jinja")
    containers = templates.one("parts/version.yaml.jinja")
    changes = Changes(
        made=made,
        edited={
            mesh: yaml_edits.with_version(mesh, clone.read(mesh), node, target),
            compose: yaml_edits.with_containers(compose, clone.read(compose), containers, f"  {name.text}-2-net:\n"),
        },
    )
    for one in (*OF_VERSIONS, *OF_LATER_VERSIONS):
        _list(clone, changes, one, words)
    _write_routes(clone, changes)
    return changes


def without_services(clone: Clone, texts: Collection[str]) -> Changes:
    """Services gone, with everything that `service` and `version` make. Raises NewError when another one needs them."""
    changes = Changes()
    names = [_known(clone, text) for text in texts]
    _refuse_used(clone, [f"mesh/{name.text}.yaml" for name in names])
    for name in names:
        text, language = name.text, _language(clone, name)
        folders = [f"services/{text}", f"mesh/{text}.yaml", f"compose/{text}.yaml", f"k8s/base/{text}"]
        tests = [path for folder in ("unit", "contract") for path in _tests(clone, folder, text)]
        changes.removed += [path for path in (*folders, *tests) if clone.has(path)]
        words = words_of(name, version_of(FIRST), language) | {"of_version": "", "of_version_cell": ""}
        for one in (*OF_SERVICES, *OF_PACKAGES, *OF_VERSIONS):
            _unlist(clone, changes, one, words)
        for patch in sorted((clone.root / "k8s" / "overlays").glob(f"*/{text}.yaml")):
            changes.removed.append(patch.relative_to(clone.root).as_posix())
            _unlist(clone, changes, PATCH, words | {"overlay": patch.parent.name})
    _write_routes(clone, changes)
    return changes


def without_version(clone: Clone, text: str, number: str) -> Changes:
    """A later version gone. Raises NewError when it gets requests, or when it is the first."""
    name, gone = _known(clone, text), version_of(number)
    language = _language(clone, name)
    module = f"services/{text}/{gone.module}{_SUFFIXES[language]}"
    if gone.module == "app":
        raise NewError(f"{text} {gone} is what later versions extend: `shopmesh remove {text}` removes all of it")
    if not clone.has(module):
        raise NewError(f"there is no {text} {gone}: no {module}")
    words = words_of(name, gone, language)
    workload = str(words["workload"])
    mesh, compose = f"mesh/{text}.yaml", f"compose/{text}.yaml"
    edited = {
        mesh: yaml_edits.without_version(mesh, clone.read(mesh), workload),
        compose: yaml_edits.without_containers(compose, clone.read(compose), workload),
    }
    _refuse_used(clone, [mesh], workload)
    own = [module, f"k8s/base/{text}/{workload}.yaml", f"tests/unit/services/test_{text}_{gone.module}.py"]
    changes = Changes(edited=edited, removed=[path for path in own if clone.has(path)])
    for one in (*OF_VERSIONS, *OF_LATER_VERSIONS):
        _unlist(clone, changes, one, words)
    _write_routes(clone, changes)
    return changes


def words_of(name: Name, version: Version, language: str, calls: tuple[str, ...] = ()) -> dict[str, object]:
    """What templates and lists are filled in with."""
    workload = f"{name.text}{version.suffix}"
    targets = [f"{workload}-net:15090", *([f"{name.text}-2-net:15090"] if str(version) == FIRST else [])]
    joined = f" (joined with what {' and '.join(calls)} know{'s' if len(calls) == 1 else ''})" if calls else ""
    return {
        "name": name.text,
        "title": name.title,
        "plural": name.plural,
        "constant": name.plural.upper(),
        "version": str(version),
        "first": FIRST,
        "module": version.module,
        "file": f"{version.module}{_SUFFIXES[language]}",
        "workload": workload,
        "node": f"{workload}-vn",
        "language": language,
        "calls": calls,
        "names": [f'"{peer}"' for peer in calls],
        "peers": [f'"{peer}": "/{Name(peer).plural}"' for peer in calls],
        "numbers": {number: [f'"{peer}": {number}' for peer in calls] for number in _ITEMS},
        "paths": [f'{peer}: "/{Name(peer).plural}"' for peer in calls],
        "fields": {number: [f"{peer}: {number}" for peer in calls] for number in _ITEMS},
        "targets": ", ".join(f'"{target}"' for target in targets),
        "answers": f"`GET /{name.plural}`, `/{name.plural}/<id>`{joined}"
        if str(version) == FIRST
        else "the same, with an edition",
        "registry": _REGISTRY,
        "of_version": f'version: "{version}"',
        "of_version_cell": f"| {version} |",
    }


def _write_routes(clone: Clone, changes: Changes) -> None:
    """The overlay for other meshes: what `shopmesh export` writes of the mesh as it will be."""
    if clone.has(_ROUTES):
        changes.edited[_ROUTES] = gateway_api(
            clone.resources(changes.made | changes.edited, changes.removed), _MESH
        ).text()


def _list(clone: Clone, changes: Changes, one: List, words: dict[str, object]) -> None:
    path = one.where(words)
    changes.edited[path] = one.with_line(changes.edited.get(path) or clone.read(path), words)


def _unlist(clone: Clone, changes: Changes, one: List, words: dict[str, object]) -> None:
    path = one.where(words)
    before = changes.edited.get(path) or clone.read(path)
    after = one.without_lines(before, words)
    if after != before:
        changes.edited[path] = after


def _known(clone: Clone, text: str) -> Name:
    there = clone.services()
    if text not in there:
        raise NewError(f"there is no service {text!r}; there are {', '.join(there) or 'none'}")
    return Name(text)


def _language(clone: Clone, name: Name) -> str:
    return "python" if clone.has(f"services/{name.text}/app.py") else "node"


def _versions(clone: Clone, name: Name, language: str) -> list[Version]:
    """Those that are code."""
    files = (clone.root / "services" / name.text).glob(f"v*_*{_SUFFIXES[language]}")
    return [version_of(FIRST), *(version_of(file.stem[1:].replace("_", ".")) for file in files)]


def _backends(clone: Clone, name: Name) -> tuple[str, ...]:
    """Whom a service calls, by the references of its first node's manifest."""
    for resource in clone.resources():
        document = resource.source.value if resource.source else {}
        if resource.key.kind == "virtualNode" and document.get("metadata", {}).get("name") == name.text:
            named = (
                one.get("virtualService", {}).get("virtualServiceRef", {})
                for one in document["spec"].get("backends", ())
            )
            return tuple(str(reference["name"]) for reference in named if "name" in reference)
    return ()


def _extended(clone: Clone, name: Name) -> str:
    """The constant that the first version serves, which a later one extends."""
    path = f"services/{name.text}/app.py"
    for node in ast.walk(ast.parse(clone.read(path))):
        match node:
            case ast.Return(
                ast.Call(ast.Name("serve"), [ast.Name(served), ast.Name("VERSION"), ast.Name("config")], [])
            ):
                return served
    raise NewError(
        f"{path} has no `return serve(…, VERSION, config)`, by which a later version serves more: "
        "make it so, as services/product/app.py is"
    )


def _tests(clone: Clone, tier: str, name: str) -> list[str]:
    folder = Path("tests") / tier / "services"
    found = sorted((clone.root / folder).glob(f"test_{name}*.py"))
    return [(folder / file.name).as_posix() for file in found if re.fullmatch(rf"test_{name}(_v\d+_\d+)?", file.stem)]


def _refuse_taken(clone: Clone, name: Name, made: Collection[str]) -> None:
    _refuse_there(clone, (f"services/{name.text}", f"services/{name.text}.py", f"k8s/base/{name.text}", *made))
    if re.search(rf"^  {name.text}(-net|-sidecar)?:", clone.containers(), re.MULTILINE):
        raise NewError(f"{name.text!r} is the name of a container in compose/ already: take another")


def _refuse_there(clone: Clone, paths: Collection[str]) -> None:
    if there := [path for path in paths if clone.has(path)]:
        raise NewError(f"{there[0]} is there already: take another name, or `shopmesh remove` what it belongs to first")


def _refuse_used(clone: Clone, files: Collection[str], workload: str | None = None) -> None:
    """Raises NewError when the rest of the mesh names what is declared in these files, or that one node of theirs."""
    resources = clone.resources()
    leaving: set[Key] = set()
    for resource in resources:
        named = resource.source.value.get("metadata", {}).get("name") if resource.source else None
        if resource.source and resource.source.file in files and (workload is None or named == workload):
            leaving.add(resource.key)
    found = [f"{said(user)} needs {key.name}" for user, key in users(resources, leaving, files)]
    if found:
        raise NewError(f"{'; '.join(dict.fromkeys(found))}: remove it as well, or take that out of its file first")
