"""Which service is the way in: the label of its virtual node says it, and these places follow.

mesh/<service>.yaml                   the label, which `shopmesh up` reads: here it is said
k8s/base/<service>/<service>.yaml     the label, which overlays and policies select; the Service's balancer and its port
compose/<service>.yaml                the published port
ADDRESSES                             where load tests and `shopmesh demo` send their requests
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from shopmesh.defaults import WAY_IN_LABEL
from shopmesh.documents.service_version import is_way_in
from shopmesh.new.errors import ScaffoldError
from shopmesh.new.file_transaction import FileTransaction
from shopmesh.new.project import Clone
from shopmesh.new.yaml_edits import SEPARATOR, check, parse, split_documents

_KINDS = ("VirtualNode", "Deployment", "Service")
_LABEL = f'    {WAY_IN_LABEL}: "true"\n'
_MESH_PORT, _BALANCER_PORT = 5000, 80
_PUBLISHED = "${SHOPMESH_ADDRESS:-127.0.0.1}:${SHOPMESH_PORT:-8080}:5000"


class Address(NamedTuple):
    """A variable with the way in's address: its file, a pattern of what stands between both, and the address's port."""

    path: str
    variable: str
    between: str
    port: str = ""


_IN_CONTAINER = r"\n +value: "
ADDRESSES = (
    Address("compose.yaml", "SHOPMESH_WAY_IN", ": ", ":5000"),
    Address("compose/load.yaml", "LOCUST_HOST", ": ", ":5000"),
    Address("k8s/base/control-plane/control-plane.yaml", "SHOPMESH_WAY_IN", _IN_CONTAINER),
    Address("k8s/components/load/load.yaml", "LOCUST_HOST", _IN_CONTAINER),
)


def ways_in(project: Clone) -> list[str]:
    """The services that a virtual node's label makes the way in: one, or none."""
    nodes = [one for one in project.resources() if one.key.kind == "virtualNode" and is_way_in(one)]
    return sorted({PurePosixPath(node.source.file).stem for node in nodes if node.source})


def set_way_in(project: Clone, changes: FileTransaction, chosen: str | None) -> None:
    """Makes that service the way in, and no other; None leaves the project without one.

    Raises ScaffoldError for a file that does not have the form of the templates.
    """
    created = [chosen] if chosen is not None and f"mesh/{chosen}.yaml" in changes.created else []
    for name in [*project.services(), *created]:
        if f"mesh/{name}.yaml" not in changes.removed:
            for path in (f"mesh/{name}.yaml", f"k8s/base/{name}/{name}.yaml"):
                _edit(project, changes, path, _mark_objects, name, name == chosen)
            _edit(project, changes, f"compose/{name}.yaml", _publish_port, name, name == chosen)
    for address in ADDRESSES:
        _edit(project, changes, address.path, _write_address, address, chosen)


def _edit(project: Clone, changes: FileTransaction, path: str, edit: Callable[..., str], *arguments: object) -> None:
    texts = changes.created if path in changes.created else changes.edited
    if path not in texts and not project.has(path):
        return
    before = texts[path] if path in texts else project.read(path)
    after = edit(path, before, *arguments)
    if after != before:
        texts[path] = after


def _mark_objects(path: str, text: str, name: str, chosen: bool) -> str:
    """Gives the first version's objects the label, and its Service a balancer, or takes both away."""
    texts = split_documents(text)
    expected = copy.deepcopy([parse(path, document) for document in texts])
    for at, document in enumerate(expected):
        if not isinstance(document, dict) or document.get("kind") not in _KINDS or document["metadata"]["name"] != name:
            continue
        labels = document["metadata"].setdefault("labels", {})
        if chosen or WAY_IN_LABEL in labels:
            texts[at] = _mark(texts[at], chosen, document["kind"] == "Service")
            _expect_mark(document, chosen)
        if not labels:
            del document["metadata"]["labels"]
    return check(path, SEPARATOR.join(texts), expected)


def _mark(document: str, chosen: bool, service: bool) -> str:
    document = document.replace(_LABEL, "", 1)
    document = re.sub(r"^  labels:\n(?! {4})", "", document, count=1, flags=re.M)
    if service:
        document = document.replace("  type: LoadBalancer\n", "", 1)
        document = document.replace(f" port: {_BALANCER_PORT}\n", f" port: {_MESH_PORT}\n", 1)
    if not chosen:
        return document
    heading = "" if re.search(r"^  labels:", document, re.M) else "  labels:\n"
    block = r"^metadata:\n(?:  .*\n)+" if heading else r"^  labels:.*\n(?: {4}.*\n)*"
    document = re.sub(block, lambda found: found[0] + heading + _LABEL, document, count=1, flags=re.M)
    if service:
        document = document.replace("\nspec:\n", "\nspec:\n  type: LoadBalancer\n", 1)
        document = document.replace(f" port: {_MESH_PORT}\n", f" port: {_BALANCER_PORT}\n", 1)
    return document


def _expect_mark(document: dict[str, Any], chosen: bool) -> None:
    labels, spec = document["metadata"]["labels"], document["spec"]
    labels.pop(WAY_IN_LABEL, None)
    if chosen:
        labels[WAY_IN_LABEL] = "true"
    if document["kind"] == "Service":
        spec.pop("type", None)
        if chosen:
            spec["type"] = "LoadBalancer"
        spec["ports"][0]["port"] = _BALANCER_PORT if chosen else _MESH_PORT


def _publish_port(path: str, text: str, name: str, chosen: bool) -> str:
    line = f'    ports: ["{_PUBLISHED}"]\n'
    expected = copy.deepcopy(parse(path, text))
    net = expected["services"][f"{name}-net"]
    if chosen:
        net["ports"] = [_PUBLISHED]
    elif net.get("ports") == [_PUBLISHED]:
        del net["ports"]
    made = text.replace(line, "", 1)
    if chosen:
        made = re.sub(rf"^  {name}-net:\n(?: {{4}}.*\n)+", lambda found: found[0] + line, made, count=1, flags=re.M)
    return check(path, made, [expected])


def _write_address(path: str, text: str, address: Address, chosen: str | None) -> str:
    url = f"http://{chosen}.default.svc.cluster.local{address.port}" if chosen else '""'
    before = f"({address.variable}{address.between}).*"
    made, found = re.subn(before, lambda line: line[1] + url, text, count=1)
    if not found:
        raise ScaffoldError(f"{path} does not set {address.variable}: set it to {url}")
    return made
