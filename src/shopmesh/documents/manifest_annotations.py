"""Annotations of manifests as tags of resources, and back: `shopmesh.dev/…` alone, all others are the cluster's.

The routes of a router stand in its manifest and have no place of their own for annotations, so the router has them:

    shopmesh.dev/mirror          of a VirtualService     ⇄  tag shopmesh.dev/mirror of the virtual service
    shopmesh.dev/product-r.mirror  of a VirtualRouter    ⇄  tag shopmesh.dev/mirror of its route product-r

No word of the vocabulary has a dot, so the last one ends the route's name, whatever that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from shopmesh.appmesh.annotations import PREFIX, split_text
from shopmesh.appmesh.annotations.tag_chunks import join_all
from shopmesh.appmesh.api.validation import hint
from shopmesh.documents.declared_resource import at
from shopmesh.documents.text.sources import FieldPath, Source

ANNOTATIONS_PATH: FieldPath = ("metadata", "annotations")
_OF_A_ROUTE = re.compile(rf"{re.escape(PREFIX)}(?P<route>.+)\.(?P<word>[a-z][a-z0-9-]*(?:\.[1-9][0-9]*)?)")
_KUBERNETES = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set"""


def own_tags(source: Source) -> dict[str, str]:
    """The tags that a manifest's annotations give to its own resource."""
    return _tags({name: text for name, text in _annotations(source) if not _route_of(source, name)})


def route_tags(source: Source, route: str) -> dict[str, str]:
    """The tags that a VirtualRouter's annotations give to one of its routes."""
    found = {}
    for name, text in _annotations(source):
        if (split := _route_of(source, name)) and split["route"] == route:
            found[PREFIX + split["word"]] = text
    return _tags(found)


def check_routes(source: Source, routes: Iterable[str]) -> None:
    """Raises `DocumentError` for an annotation of a route that the router does not have."""
    known = list(routes)
    for name, _ in _annotations(source):
        if (split := _route_of(source, name)) and split["route"] not in known:
            raise source.error(
                (*ANNOTATIONS_PATH, name), f"the router has no route {split['route']!r}; {hint(split['route'], known)}"
            )


def route_annotations(tags: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """The annotations of a VirtualRouter for the tags of its routes, each with its name."""
    return {
        f"{PREFIX}{route}.{name.removeprefix(PREFIX)}": text
        for route, given in tags
        for name, text in join_all({name: value for name, value in given.items() if name.startswith(PREFIX)}).items()
    }


def annotation_name(kind: str, name: str, tag: str) -> str:
    """The annotation that a tag of a resource stands in."""
    return f"{PREFIX}{name}.{tag.removeprefix(PREFIX)}" if kind == "route" else tag


def is_valid_in_kubernetes(annotation: str) -> bool:
    """Whether a cluster takes an annotation of this name; a route of any name can be annotated here."""
    return _KUBERNETES.fullmatch(annotation.removeprefix(PREFIX)) is not None


def _annotations(source: Source) -> Iterator[tuple[str, str]]:
    annotations = at(source.value, ANNOTATIONS_PATH) or {}
    if not isinstance(annotations, dict):
        raise source.error(ANNOTATIONS_PATH, f"must be a mapping, not {annotations!r}")
    for name, text in annotations.items():
        if str(name).startswith(PREFIX):
            yield str(name), str(text)


def _route_of(source: Source, name: str) -> re.Match[str] | None:
    return _OF_A_ROUTE.fullmatch(name) if source.value["kind"] == "VirtualRouter" else None


def _tags(annotations: Mapping[str, str]) -> dict[str, str]:
    return {name: piece for tag, text in annotations.items() for name, piece in split_text(tag, text).items()}
