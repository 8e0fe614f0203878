"""Tags of resources: at most 50, each key once. They are no part of the specification, so they change no version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from shopmesh.appmesh import arn, host_policy
from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.api.pagination import page
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, NotFound, TooManyTags
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.store import Resource, Transaction, View

MOST_TAGS = 50
Tags = tuple[tuple[str, str], ...]


def merge_tags(before: Tags, given: Iterable[Mapping[str, str]]) -> Tags:
    """The tags after adding some, sorted by key; BadRequest for a key twice or reserved, TooManyTags over 50."""
    after = dict(before)
    seen: set[str] = set()
    for index, tag in enumerate(given):
        key = tag["key"]
        if key in seen:
            raise BadRequest(f"tags[{index}].key: {quote(key)} appears twice")
        # https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
        if key.lower().startswith("aws:"):
            raise BadRequest(f"tags[{index}].key: {quote(key)} begins with aws:, which is reserved")
        seen.add(key)
        after[key] = tag["value"]
    if len(after) > MOST_TAGS:
        raise TooManyTags(f"tags: {len(after)} tags, a resource has at most {MOST_TAGS}; remove some first")
    return tuple(sorted(after.items()))


def tag(parameters: Mapping[str, Any], transaction: Transaction, context: Context) -> dict[str, Any]:
    resource = _find(parameters, transaction, context)
    after = merge_tags(resource.tags, parameters["tags"])
    annotation_reader.check(resource.key, after, [tag["key"] for tag in parameters["tags"]], transaction)
    host_policy.check(context.host_policy, {}, [tag["key"] for tag in parameters["tags"]])
    transaction.put(replace(resource, tags=after))
    return {}


def untag(parameters: Mapping[str, Any], transaction: Transaction, context: Context) -> dict[str, Any]:
    resource = _find(parameters, transaction, context)
    gone = set(parameters["tagKeys"])
    after = tuple(pair for pair in resource.tags if pair[0] not in gone)
    annotation_reader.check(resource.key, after, gone, transaction)
    transaction.put(replace(resource, tags=after))
    return {}


def list_tags(parameters: Mapping[str, Any], view: View, context: Context) -> dict[str, Any]:
    resource = _find(parameters, view, context)
    shown, token = page(
        resource.tags,
        lambda pair: pair[0],
        f"tags {resource.key.kind} {'/'.join(resource.key.path)}",
        parameters.get("limit", MOST_TAGS),
        parameters.get("nextToken"),
    )
    answer: dict[str, Any] = {"tags": [{"key": key, "value": value} for key, value in shown]}
    return {**answer, "nextToken": token} if token else answer


def _find(parameters: Mapping[str, Any], view: View, context: Context) -> Resource:
    key = arn.read(parameters["resourceArn"], context)
    resource = view.get(key)
    if resource is None:
        raise NotFound(f"resourceArn: {describe(key)} does not exist in mesh {key.mesh}")
    return resource
