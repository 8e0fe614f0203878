"""Reads all resources of a mesh by the App Mesh API in few round trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shopmesh.appmesh.kinds import KINDS, Kind
from shopmesh.appmesh.store import Key
from shopmesh.client.client import Client
from shopmesh.client.errors import ResponseError
from shopmesh.documents import DeclaredResource
from shopmesh.documents.declared_resource import creation_order

MAX_BATCH = 500
"""Operations in one request; the control plane reads bodies of up to 1 MiB."""

MAX_PAGES = 10_000
MAX_ATTEMPTS = 3

Request = dict[str, Any]


def list_meshes(client: Client) -> list[str]:
    """The names of all meshes."""
    return [key.name for key in _list(client, KINDS["mesh"], [()])]


def read_mesh(client: Client, mesh: str) -> list[DeclaredResource]:
    """Reads every resource of a mesh with its tags; none if the mesh does not exist.

    A resource that is deleted meanwhile makes it start again, up to `MAX_ATTEMPTS` times; then raises `ResponseError`.
    """
    return [resource for resource, _ in read_descriptions(client, mesh)]


def read_descriptions(client: Client, mesh: str) -> list[tuple[DeclaredResource, dict[str, Any]]]:
    """As `read_mesh`, each resource with its full description (metadata and status)."""
    for left in reversed(range(MAX_ATTEMPTS)):
        if mesh not in list_meshes(client):
            return []
        try:
            return _read(client, mesh)
        except ResponseError as error:
            if error.code != "NotFoundException" or not left:
                raise
    return []


def _read(client: Client, mesh: str) -> list[tuple[DeclaredResource, dict[str, Any]]]:
    keys = [Key("mesh", (mesh,))]
    for kind in KINDS.values():
        if kind.parents:
            keys += _list(client, kind, [key.path for key in keys if key.kind == kind.parents[-1]])
    answers = _send(client, [_request("Describe", KINDS[key.kind], key.path) for key in keys])
    described = [answer[key.kind] for key, answer in zip(keys, answers, strict=True)]
    tagged = _send(
        client,
        [
            {"operation": "ListTagsForResource", "parameters": {"resourceArn": answer["metadata"]["arn"]}}
            for answer in described
        ],
    )
    found = [
        (DeclaredResource(key, answer["spec"], {tag["key"]: tag.get("value", "") for tag in tags["tags"]}), answer)
        for key, answer, tags in zip(keys, described, tagged, strict=True)
    ]
    order = {resource.key: index for index, resource in enumerate(creation_order(resource for resource, _ in found))}
    return sorted(found, key=lambda pair: order[pair[0].key])


def _list(client: Client, kind: Kind, parents: Sequence[tuple[str, ...]]) -> list[Key]:
    """The keys of all resources of a kind below some parents, page by page."""
    found: list[Key] = []
    asked: list[tuple[tuple[str, ...], str | None]] = [(parent, None) for parent in parents]
    for _ in range(MAX_PAGES):
        if not asked:
            break
        answers = _send(client, [_request("List", kind, parent, token) for parent, token in asked])
        further: list[tuple[tuple[str, ...], str | None]] = []
        for (parent, _), answer in zip(asked, answers, strict=True):
            found += [Key(kind.name, (*parent, item[f"{kind.name}Name"])) for item in answer[kind.plural]]
            if token := answer.get("nextToken"):
                further.append((parent, token))
        asked = further
    return found


def _request(verb: str, kind: Kind, path: tuple[str, ...], token: str | None = None) -> Request:
    title = kind.plural_title if verb == "List" else kind.title
    parameters: dict[str, Any] = dict(zip(kind.parameters, path, strict=False))
    if verb == "List":
        parameters["limit"] = 100
    if token is not None:
        parameters["nextToken"] = token
    return {"operation": f"{verb}{title}", "parameters": parameters}


def _send(client: Client, requests: Sequence[Request]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for start in range(0, len(requests), MAX_BATCH):
        answers += client.requests(requests[start : start + MAX_BATCH], dry_run=True).answers
    return answers
