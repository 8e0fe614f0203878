"""A resource's tags as annotations: what they say, what is wrong with them, and what they refer to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from shopmesh.appmesh.annotations import tag_chunks
from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError
from shopmesh.appmesh.annotations.mirror import MIRROR, Mirror
from shopmesh.appmesh.annotations.registry import ANNOTATIONS
from shopmesh.appmesh.api.validation import Problem, hint, quote, raise_problems
from shopmesh.appmesh.errors import NotFound
from shopmesh.appmesh.kinds import Reference, describe, in_words
from shopmesh.appmesh.store import Key, View

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ParsedAnnotations:
    """The values by word; a tag with a problem has none."""

    values: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read(kind: str, tags: Tags) -> ParsedAnnotations:
    """What the tags of a resource of that kind say in our vocabulary; all others are the user's own."""
    ours = {name: value for name, value in tags if name.startswith(tag_chunks.PREFIX)}
    if not ours:
        return _NOTHING
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for name in sorted({tag_chunks.base_name(name) for name in ours}):
        text = tag_chunks.join_text(name, ours)
        try:
            annotation = _find_annotation(name, kind)
            if text is None:
                raise AnnotationError(f"{name}.2 exists, but the first part is missing; write all parts or none")
            values[annotation.name] = _parse_value(annotation, text)
        except AnnotationError as error:
            problems.append(Problem(name, f"{quote(text)}: {error}" if text is not None else str(error)))
    return ParsedAnnotations(values, tuple(problems))


_NOTHING = ParsedAnnotations()


def problems(kind: str, tags: Tags, touched: Collection[str] | None = None) -> Iterator[Problem]:
    """What is wrong with the tags, or with those whose texts `touched` names pieces of."""
    names = None if touched is None else {tag_chunks.base_name(name) for name in touched}
    for problem in read(kind, tags).problems:
        if names is None or problem.field in names:
            yield problem


def references(key: Key, tags: Tags) -> Iterator[Reference]:
    """The resources that the annotations of a resource name."""
    mirror = read(key.kind, tags).values.get(MIRROR.name)
    if isinstance(mirror, Mirror):
        yield Reference(f"{tag_chunks.PREFIX}{MIRROR.name}", Key("virtualNode", (key.mesh, mirror.node)))


def check(key: Key, tags: Tags, touched: Collection[str], view: View) -> None:
    """Raises BadRequest for `touched` tags that say nothing, NotFound where what one names does not exist."""
    raise_problems(problems(key.kind, tags, touched))
    for tag, target in references(key, tags):
        if tag in {tag_chunks.base_name(name) for name in touched} and view.get(target) is None:
            raise NotFound(f"{tag}: {describe(target)} does not exist in mesh {key.mesh}; create it first")


def _parse_value(annotation: Annotation, text: str) -> object:
    try:
        return annotation.parse(text)
    except AnnotationError as error:
        raise AnnotationError(f"{error}; for example {annotation.example}") from None


def _find_annotation(name: str, kind: str) -> Annotation:
    word = name.removeprefix(tag_chunks.PREFIX)
    if word not in ANNOTATIONS:
        here = [tag_chunks.PREFIX + known for known, annotation in ANNOTATIONS.items() if kind in annotation.kinds]
        raise AnnotationError(f"unknown annotation for a {in_words(kind)}; {hint(name, here)}")
    annotation = ANNOTATIONS[word]
    if kind not in annotation.kinds:
        others = " or ".join(f"a {in_words(other)}" for other in annotation.kinds)
        routes = f"; to annotate one of its routes, write {tag_chunks.PREFIX}<name of the route>.{word} in the manifest"
        raise AnnotationError(
            f"it applies to {others}, not to a {in_words(kind)}{routes if kind == 'virtualRouter' else ''}"
        )
    return annotation
