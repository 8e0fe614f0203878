"""Adds text to a service's YAML files, and removes it; every other byte stays.

    mesh/<service>.yaml      documents between lines of `---`; a version is a document, and a target of each route
    compose/<service>.yaml   paragraphs of a workload's three containers

The result is parsed and must equal the parsed input plus the change; a file of another form is rejected.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import yaml

from shopmesh.new.errors import ScaffoldError

SEPARATOR = "---\n"
"""The line between the documents of a file."""


def add_version(path: str, text: str, node: str, target: str) -> str:
    """Adds a virtual node after the others, and a target to each route, to a mesh file. Raises ScaffoldError."""
    documents = split_documents(text)
    read = [parse(path, document) for document in documents]
    nodes = [at for at, document in enumerate(read) if _kind(document) == "VirtualNode"]
    expected = [*read]
    for at in _routers(read):
        documents[at] = _add_target(documents[at], target)
        expected[at] = copy.deepcopy(read[at])
        for targets in _targets(expected[at]):
            targets += yaml.safe_load(target)
    if not nodes or not _routers(read):
        raise ScaffoldError(
            f"{path} has no virtual node or no router with routes, to which a version is added; add it by hand"
        )
    place = nodes[-1] + 1
    made = SEPARATOR.join([*documents[:place], node, *documents[place:]])
    return check(path, made, [*expected[:place], yaml.safe_load(node), *expected[place:]])


def remove_version(path: str, text: str, workload: str) -> str:
    """Removes a virtual node and its targets from a mesh file. Raises ScaffoldError for a target with a weight."""
    documents = split_documents(text)
    read = [parse(path, document) for document in documents]
    kept: list[str] = []
    expected: list[Any] = []
    for document, said in zip(documents, read, strict=True):
        if _kind(said) == "VirtualNode" and said["metadata"]["name"] == workload:
            continue
        after = copy.deepcopy(said)
        for targets in _targets(after):
            for target in [target for target in targets if _node_name(target) == workload]:
                if target["weight"]:
                    raise ScaffoldError(
                        f"{workload} has the weight {target['weight']} in {path}: set that weight to 0 first"
                    )
                targets.remove(target)
        kept.append(_remove_target(document, workload))
        expected.append(after)
    return check(path, SEPARATOR.join(kept), expected)


def add_containers(path: str, text: str, containers: str, before: str) -> str:
    """Adds a paragraph to a Compose file, before the one that begins with `before`, otherwise at the end."""
    expected = copy.deepcopy(parse(path, text))
    expected["services"] |= yaml.safe_load(containers)
    above, found, below = text.partition(f"\n\n{before}")
    made = f"{above}\n\n{containers.rstrip()}{found}{below}" if found else f"{text}\n{containers}"
    return check(path, made, [expected])


def remove_containers(path: str, text: str, workload: str) -> str:
    """Removes a workload's paragraph from a Compose file."""
    expected = copy.deepcopy(parse(path, text))
    for part in ("-net", "-sidecar", ""):
        expected["services"].pop(f"{workload}{part}", None)
    head, *paragraphs = text.split("\n\n")
    kept = [paragraph for paragraph in paragraphs if not paragraph.startswith(f"  {workload}-net:\n")]
    made = "\n\n".join([head, *kept])
    return check(path, made if made.endswith("\n") else f"{made}\n", [expected])


def split_documents(text: str) -> list[str]:
    """The texts of a file's documents; `SEPARATOR` joins them again."""
    return re.split(r"^---\n", text, flags=re.MULTILINE)


def parse(path: str, text: str) -> Any:
    """Parses one document. Raises ScaffoldError."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScaffoldError(f"{path} is not YAML: {' '.join(str(error).split())}") from None


def check(path: str, made: str, expected: list[Any]) -> str:
    """Returns the made text, whose documents must be the expected ones; raises ScaffoldError if they are not."""
    if [parse(path, document) for document in split_documents(made)] != expected:
        raise ScaffoldError(f"{path} does not have the form of the template: make this change by hand")
    return made


def _kind(document: Any) -> str:
    return str(document.get("kind")) if isinstance(document, dict) else ""


def _routers(documents: list[Any]) -> list[int]:
    return [at for at, document in enumerate(documents) if _targets(document)]


def _targets(document: Any) -> list[list[dict[str, Any]]]:
    """The weighted targets of each route of a router."""
    if _kind(document) != "VirtualRouter":
        return []
    routes = [
        route for one in document["spec"].get("routes") or () for route in one.values() if isinstance(route, dict)
    ]
    return [route["action"]["weightedTargets"] for route in routes if "action" in route]


def _node_name(target: dict[str, Any]) -> str:
    return str((target.get("virtualNodeRef") or {}).get("name"))


# A target: `- virtualNodeRef:` and the lines that are indented below it.
_ITEMS = re.compile(
    r"^(?P<indent> *)weightedTargets:\n(?P<items>(?:(?P=indent) *- .*\n(?:(?P=indent)  +[^ -].*\n)*)+)", re.M
)


def _add_target(document: str, target: str) -> str:
    def add_target(found: re.Match[str]) -> str:
        indent = re.match(r" *", found["items"])
        lines = target.splitlines(keepends=True)
        return found[0] + "".join(f"{indent[0] if indent else ''}{line}" for line in lines)

    return _ITEMS.sub(add_target, document)


def _remove_target(document: str, workload: str) -> str:
    def remove_target(found: re.Match[str]) -> str:
        indent = re.match(r" *", found["items"])
        items = re.split(rf"^(?={indent[0] if indent else ''}- )", found["items"], flags=re.M)
        kept = [item for item in items if not item or _node_name(yaml.safe_load(item)[0]) != workload]
        return f"{found['indent']}weightedTargets:\n{''.join(kept)}"

    return _ITEMS.sub(remove_target, document)
